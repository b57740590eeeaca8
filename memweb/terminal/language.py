"""The language of the terminal: as LC_ALL, LC_MESSAGES or LANG say; the texts are in the catalogue of the page."""

import gettext as catalogues
import os
from functools import cache
from pathlib import Path

LOCALE = Path(__file__).resolve().parents[1] / "locale"
CHINESE = "zh-hans"


def language() -> str:
    """As the server is told it, which has one Chinese."""
    asked = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return CHINESE if asked.lower().startswith("zh") else "en"


@cache
def _catalogue(of: str) -> catalogues.NullTranslations:
    languages = ["zh_Hans"] if of == CHINESE else []
    return catalogues.translation("django", LOCALE, languages, fallback=True)


def gettext(text: str) -> str:
    """`text` in the person's language."""
    return _catalogue(language()).gettext(text)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The same where a number decides."""
    return _catalogue(language()).ngettext(singular, plural, number)

"""Every text of the interface that is to be translated, and the catalogues that hold the translations.

`make messages` brings the catalogues up to date with the sources and compiles them; a test runs the same search.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from babel.messages.extract import extract
from django.utils.translation.template import templatize

from memweb.stack.env import PACKAGE_FOLDER, PROJECT_FOLDER

FOLDER = PACKAGE_FOLDER / "locale" / "zh_Hans" / "LC_MESSAGES"
PYTHON = ("agents", "api", "chat", "memweb")
KEYWORDS = {"_": None, "t": None, "gettext": None, "gettext_lazy": None, "ngettext": (1, 2), "ngettext_lazy": (1, 2)}
HEADER = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "zh_Hans",
    "Plural-Forms": "nplurals=1; plural=0;",
}

Text = tuple[str, str]  # singular, and plural or ""


def texts(domain: str) -> dict[Text, str]:
    """Where each text of `django` (Python, templates) or `djangojs` (scripts) stands first."""
    found: dict[Text, str] = {}
    for path, method, source in _sources(domain):
        for _line, message, _comments, _context in extract(method, io.BytesIO(source.encode()), KEYWORDS):
            pair = (message[0], message[1]) if isinstance(message, tuple) else (message, "")
            found.setdefault(pair, path.relative_to(PROJECT_FOLDER).as_posix())
    return found


def _sources(domain: str) -> Iterator[tuple[Path, str, str]]:
    if domain == "djangojs":
        for path in sorted((PACKAGE_FOLDER / "static" / "js").glob("*.js")):
            yield path, "javascript", path.read_text()
        return
    for folder in PYTHON:
        for path in sorted((PROJECT_FOLDER / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, "python", path.read_text()
    for path in sorted((PACKAGE_FOLDER / "templates").rglob("*.html")):
        yield path, "python", re.sub(r"[^\S\n]*\n\s*", " ", templatize(path.read_text()))


def update(domain: str) -> list[str]:
    """Rewrite a catalogue: new texts come in empty, texts that are gone go. Returns what is not translated."""
    path = FOLDER / f"{domain}.po"
    old = {(entry.msgid, entry.msgid_plural): entry for entry in polib.pofile(str(path))} if path.exists() else {}
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = HEADER
    for (singular, plural), where in sorted(texts(domain).items(), key=lambda item: (item[1], item[0])):
        known = old.get((singular, plural))
        flags = ["python-format"] if re.search(r"%\(\w+\)[sd]", singular) else []
        entry = polib.POEntry(msgid=singular, msgid_plural=plural, occurrences=[(where, "")], flags=flags)
        if plural:
            entry.msgstr_plural = dict(known.msgstr_plural) if known else {0: ""}
        else:
            entry.msgstr = known.msgstr if known else ""
        catalogue.append(entry)
    catalogue.save(str(path))
    catalogue.save_as_mofile(str(path.with_suffix(".mo")))
    return [entry.msgid for entry in catalogue if not entry.translated()]


if __name__ == "__main__":
    for domain in ("django", "djangojs"):
        missing = update(domain)
        print(f"{domain}: {len(texts(domain))} texts, {len(missing)} not translated")
        for text in missing:
            print(f"  {text}")

"""Addresses of servers and what is sent to them, as people write them."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.text.clean import typed

LONGEST_SECRETS = 20_000  # characters


@dataclass(frozen=True)
class PairForm:
    """How a name and its value are written in a line; `example` is shown where a line is not."""

    pattern: re.Pattern[str]
    example: str


HEADERS = PairForm(  # RFC 9110: names and visible values
    re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)"), "Authorization: Bearer …"
)
VARIABLES = PairForm(re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)"), "API_KEY=…")


def checked_url(address: str, *, as_in: str) -> str:
    """An http or https URL with a host and no password. Raises InvalidInput, which shows `as_in` as an example."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or " " in address or parts.scheme.lower() not in ("http", "https"):
        raise InvalidInput(_("This is no URL: write it as in %(example)s.") % {"example": as_in})
    if parts.username or parts.password:
        raise InvalidInput(_("Leave the password out of the URL: write it as a header, which is stored encrypted."))
    return address


def pairs_of(text: str, form: PairForm) -> list[tuple[str, str]]:
    """Names and values, one a line. Raises InvalidInput, which names the line that is not understood."""
    if len(text) > LONGEST_SECRETS:
        raise InvalidInput(_("Headers have at most %(most)d characters in all.") % {"most": LONGEST_SECRETS})
    pairs = []
    for number, line in enumerate((line.strip() for line in typed(text).splitlines() if line.strip()), start=1):
        pair = form.pattern.fullmatch(line)
        if pair is None:
            sentence = _("Line %(number)d is not understood: write one a line, as in %(wanted)s")
            raise InvalidInput(sentence % {"number": number, "wanted": form.example})
        pairs.append((pair[1], pair[2]))
    return pairs

import re
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext

from chat import timeline

register = template.Library()
register.filter("result_text", timeline.result_text)

ROW, ROWS, SHEET = re.compile(r"Row (\d+)"), re.compile(r"Rows (\d+)–(\d+)"), re.compile(r"Sheet: (.+)", re.DOTALL)
UNITS = ((86400, "d"), (3600, "h"), (60, "m"))  # seconds


@register.filter
def ago(moment: datetime) -> str:
    """How long ago, as short as a list has room for: now, 3m, 2h, 5d."""
    seconds = (timezone.now() - moment).total_seconds()
    for size, letter in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return gettext("now")


@register.filter
def place(text: str) -> str:
    """A passage's place in its document, as ingestion wrote it down, in the page's language."""
    if found := ROW.fullmatch(text):
        return gettext("Row %(number)s") % {"number": found[1]}
    if found := ROWS.fullmatch(text):
        return gettext("Rows %(first)s–%(last)s") % {"first": found[1], "last": found[2]}
    if found := SHEET.fullmatch(text):
        return gettext("Sheet: %(name)s") % {"name": found[1]}
    return text

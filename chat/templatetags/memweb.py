import json
import re
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext

from agents.llm.gateway import config_of
from agents.main_context.fifo_queue import result_text
from agents.models import Agent
from chat import drawing
from chat.highlight import excerpt

register = template.Library()
register.filter("result_text", result_text)
register.filter("drawn", drawing.gauge)
register.filter("step_bars", drawing.step_bars)
register.filter("figure_bars", drawing.figure_bars)
register.filter("excerpt", excerpt)

LINE, LINES = re.compile(r"Line (\d+)"), re.compile(r"Lines (\d+)–(\d+)")
ROW, ROWS, SHEET = re.compile(r"Row (\d+)"), re.compile(r"Rows (\d+)–(\d+)"), re.compile(r"Sheet: (.+)", re.DOTALL)
UNITS = ((86400, "d"), (3600, "h"), (60, "m"))  # seconds


@register.filter
def item(values: dict[str, str], key: str) -> str:
    """The value of a key that a template has in a variable; empty if there is none."""
    return values.get(key, "")


@register.filter
def model_name(agent: Agent) -> str:
    """What it asks."""
    return config_of(agent).name


@register.filter
def gigabytes(count: int) -> str:
    """Of a count of bytes."""
    return number_format(round(count / 1e9, 1), decimal_pos=1)  # which cuts off by itself


@register.filter
def pretty_json(text: str) -> str:
    """JSON for a person to read; other text as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


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
    if match := ROW.fullmatch(text):
        return gettext("Row %(number)s") % {"number": match[1]}
    if match := ROWS.fullmatch(text):
        return gettext("Rows %(first)s–%(last)s") % {"first": match[1], "last": match[2]}
    if match := LINE.fullmatch(text):
        return gettext("Line %(number)s") % {"number": match[1]}
    if match := LINES.fullmatch(text):
        return gettext("Lines %(first)s–%(last)s") % {"first": match[1], "last": match[2]}
    if match := SHEET.fullmatch(text):
        return gettext("Sheet: %(name)s") % {"name": match[1]}
    return text

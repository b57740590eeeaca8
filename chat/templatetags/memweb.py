from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext

from chat import timeline

register = template.Library()
register.filter("result_text", timeline.result_text)

UNITS = ((86400, "d"), (3600, "h"), (60, "m"))  # seconds


@register.filter
def ago(moment: datetime) -> str:
    """How long ago, as short as a list has room for: now, 3m, 2h, 5d."""
    seconds = (timezone.now() - moment).total_seconds()
    for size, letter in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return gettext("now")

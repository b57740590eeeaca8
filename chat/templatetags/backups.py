from datetime import datetime
from typing import Any

from django import template
from django.conf import settings

from memweb.stack.backup import kept

register = template.Library()


@register.inclusion_tag("admin/_backups.html")
def last_backup() -> dict[str, Any]:
    """How the last backup went, for whoever runs this installation."""
    last = kept.last(settings.PATHS)
    made_at, failed_at = (datetime.fromisoformat(time) if time else None for time in (last.made_at, last.failed_at))
    return {"last": last, "made_at": made_at, "failed_at": failed_at, "off": settings.ENV.memweb_backup_keep == 0}

"""The Celery app: queues "runs", "background" and "ingest"; no result backend, since the run row is the result."""

import os
import sys

from celery import Celery
from celery.signals import task_failure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

_path = sys.path.copy()
app = Celery("memweb")
sys.path[:] = _path  # it puts the working folder first, where somebody may have an `agents` or `chat` of their own
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_failure.connect
def _renew(exception: BaseException | None = None, **_: object) -> None:
    """After the database restarted every connection is broken: throw all of them away at the first."""
    from agents.locks import TRANSIENT, renew_connections

    if isinstance(exception, TRANSIENT):
        renew_connections()

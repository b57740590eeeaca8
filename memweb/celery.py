"""The Celery app: queues "runs", "background" and "ingest"; no result backend, since the run row is the result."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

app = Celery("memweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

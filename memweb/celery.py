"""The Celery app: two queues, no result backend (the run row is the result, DESIGN section 3)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")

app = Celery("memweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

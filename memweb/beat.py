"""The clock: what is to be looked at how often. A program of its own, which knows the broker and no Django."""

from celery import Celery

from memweb.stack.env import env
from memweb.stack.paths import BROKER_OPTIONS, StackPaths, celery_broker_url

app = Celery("memweb-beat", set_as_current=False, fixups=[])
app.conf.update(
    broker_url=celery_broker_url(env().redis_url or StackPaths(env().memweb_home).redis_url),
    broker_transport_options=BROKER_OPTIONS,
    broker_connection_retry_on_startup=True,
    task_default_queue="background",
    task_ignore_result=True,
    beat_scheduler="memweb.alive:LivingScheduler",
    timezone="UTC",
    beat_schedule={
        # Where there is always a thread free: summaries that wait for a silent endpoint must not hold up the reaper.
        "reap": {"task": "agents.tasks.reap", "schedule": 30.0, "options": {"queue": "runs", "expires": 30.0}},
        "back up": {"task": "agents.tasks.back_up", "schedule": 600.0, "options": {"expires": 600.0}},
        "index words": {"task": "agents.tasks.index_words", "schedule": 60.0, "options": {"expires": 60.0}},
        "index vectors": {"task": "agents.tasks.index_vectors", "schedule": 600.0, "options": {"expires": 600.0}},
    },
)

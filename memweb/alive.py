"""What workers and the clock do beside their tasks: they show the supervisor that they are at work, from the loops that
do it, and those of runs look every few seconds whether one is left that nobody is at."""

import logging
from contextlib import suppress
from datetime import timedelta
from functools import cache
from threading import Thread
from time import sleep
from typing import Any

from celery.beat import PersistentScheduler
from celery.worker.consumer import Consumer
from celery.worker.control import inspect_command
from kombu import Connection

from memweb.stack import signs

logger = logging.getLogger(__name__)

LOOK_EVERY = 5  # seconds between two looks at runs that nobody is at


class LivingConsumer(Consumer):
    """A worker's loop. That its threads all wait for a model says nothing: it takes no thread of theirs."""

    def on_ready(self) -> None:
        """Of each connection to the broker; the timer's entries go with it, and are called by the loop."""
        super().on_ready()
        self.timer.call_repeatedly(signs.EVERY, signs.show)
        consumed: Any = self.task_consumer  # type: ignore[attr-defined]
        if any(queue.name == "runs" for queue in consumed.queues):
            _begin_with_runs()

    def ensure_connected(self, conn: Connection) -> Connection:
        return super().ensure_connected(_patient(conn))


@inspect_command(name="tell")
def _tell(state: Any) -> dict[str, Any]:
    """What a web process asks each worker (`agents.health`)."""
    from agents.health import settings_alike

    consumed = state.consumer.task_consumer
    queues = [queue.name for queue in consumed.queues] if consumed else []
    return {"queues": queues, "settings": settings_alike()}


def _begin_with_runs() -> None:
    """Take up what nobody is at, load the model's client before it is needed, and look at functions of one's own."""
    from agents import maintenance
    from agents.llm import connection
    from agents.locks import TRANSIENT, release_connection

    with suppress(*TRANSIENT):  # a database that is away: the reaper comes to it
        maintenance.take_over()
        release_connection()
    connection.prepare()
    Thread(target=_look_at_functions, daemon=True).start()
    _begin_to_look_after_runs()


@cache
def _begin_to_look_after_runs() -> None:
    """Once in a process, however often it finds its broker."""
    Thread(target=_look_after_runs, name="runs that nobody is at", daemon=True).start()


def _look_after_runs() -> None:
    """In a thread of its own: it needs no clock, and waits for no thread that works on runs."""
    from agents import maintenance
    from agents.locks import TRANSIENT, release_connection, renew_connections

    while True:
        sleep(LOOK_EVERY)
        try:
            maintenance.look_after_runs()
            release_connection()
        except TRANSIENT:  # a database that is away: the next look is soon
            renew_connections()
        except Exception:
            logger.exception("A look at the runs failed.")


def _look_at_functions() -> None:
    from agents.functions import installed
    from agents.locks import TRANSIENT, release_connection

    with suppress(*TRANSIENT):
        installed.refresh()
    release_connection()


class LivingScheduler(PersistentScheduler):
    """The clock's loop."""

    def setup_schedule(self) -> None:
        """The reaper looks at once: nobody knows how long the clock stood, and a web process asks whether it ticks."""
        super().setup_schedule()
        self.schedule["reap"].last_run_at = self.app.now() - timedelta(days=1)

    def tick(self, *arguments: Any, **more: Any) -> Any:
        signs.show()
        return super().tick(*arguments, **more)

    def _ensure_connected(self) -> Any:
        _patient(self.connection)
        return super()._ensure_connected()  # type: ignore[misc]


def _patient(connection: Connection) -> Connection:
    """One that shows signs of life while it waits for a broker that is away."""
    usual: Any = connection.ensure_connection

    def ensure(*arguments: Any, callback: Any = None, **more: Any) -> Any:
        def each_second() -> None:
            signs.show()
            if callback:
                callback()

        return usual(*arguments, callback=each_second, **more)

    connection.ensure_connection = ensure  # type: ignore[method-assign]
    return connection

"""How workers and the clock show the supervisor that they are at work: from the loops that do it."""

from contextlib import suppress
from threading import Thread
from typing import Any

from celery.beat import PersistentScheduler
from celery.worker.consumer import Consumer
from celery.worker.control import inspect_command
from kombu import Connection

from memweb.stack import signs


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


def _look_at_functions() -> None:
    from agents.functions import installed
    from agents.locks import TRANSIENT, release_connection

    with suppress(*TRANSIENT):
        installed.refresh()
    release_connection()


class LivingScheduler(PersistentScheduler):
    """The clock's loop."""

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

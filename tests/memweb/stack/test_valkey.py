import os
import signal
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from memweb.stack.paths import StackPaths, celery_broker_url
from memweb.stack.valkey import Valkey

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def server(paths: StackPaths) -> Iterator[Valkey]:
    server = Valkey(paths, quiet=True)
    server.start()
    yield server
    server.stop()


def kill(server: Valkey) -> None:
    assert server.child is not None and server.child.process is not None
    os.kill(server.child.process.pid, signal.SIGKILL)
    assert server.child.wait(10)


def test_a_queued_item_survives_kill_9(server: Valkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", "item")
    kill(server)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"item"]


def test_it_has_no_network_port_and_a_private_socket(server: Valkey, paths: StackPaths) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("port") == {"port": "0"}
    assert paths.valkey_socket.stat().st_mode & 0o777 == 0o700


def test_celery_can_queue_a_task_through_the_socket(server: Valkey) -> None:
    app = Celery(broker=celery_broker_url(server.url))
    app.send_task("a.task", queue="runs", retry=False)
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("runs") == 1


def test_a_damaged_file_is_set_aside_and_it_starts_empty(server: Valkey, paths: StackPaths) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", "item")
    kill(server)
    for file in (paths.valkey_data / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"this is no such file" * 100)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("queue") == 0
    assert len(list(paths.home.glob("valkey-damaged-*"))) == 1

"""What Prometheus asks for, `python -m memweb.metrics`: what the processes count, and what the rows say at that moment.

It answers at every address of its port, /metrics among them. Only where MEMWEB_METRICS_PORT is set.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from memweb.stack.env import env
from memweb.stack.signs import is_there

OF_OTHER_MACHINES = 24 * 3600  # seconds without a change, after which their files count as left behind


class Counts(Collector):
    """What the processes count; those that ended keep their counts and have no open pages any more."""

    def collect(self) -> Iterator[Metric]:
        for path in files(settings.PATHS.metrics, "gauge_live*"):
            if not is_alive(path):
                path.unlink(missing_ok=True)
        counted: Any = MultiProcessCollector
        yield from counted(None, path=str(settings.PATHS.metrics)).collect()


class Rows(Collector):
    """What the database says now, and how old the last backup is."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        from agents.locks import release_connection
        from agents.selectors.operation import figures_now

        try:
            found = figures_now()
        except DatabaseError:
            found = []
        finally:
            release_connection()
        yield GaugeMetricFamily("memweb_database_up", "Whether the database answers.", value=bool(found))
        for figure in found:
            family = GaugeMetricFamily(figure.name, figure.tells, labels=[figure.label] if figure.label else [])
            for label, value in figure.values.items():
                family.add_metric([label] if figure.label else [], value)
            yield family
        yield from _backup_age()


def _backup_age() -> Iterator[GaugeMetricFamily]:
    from memweb.stack.backup import kept

    if made_at := kept.last(settings.PATHS).made_at:
        age = (datetime.now(UTC) - datetime.fromisoformat(made_at)).total_seconds()
        yield GaugeMetricFamily("memweb_backup_age_seconds", "How old the last backup is.", value=age)


def files(folder: Path, kinds: str = "*") -> Iterator[Path]:
    return folder.glob(f"{kinds}.db")


def is_alive(path: Path) -> bool:
    """Whether the process still runs that counts in this file."""
    from agents.telemetry.metrics import this_machine

    machine, _, process = path.stem.rpartition("_")[2].rpartition(".")
    if machine != this_machine():
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime < OF_OTHER_MACHINES
        return False
    return is_there(int(process))


def main() -> None:
    port = env().memweb_metrics_port
    if port is None:
        sys.exit("Set MEMWEB_METRICS_PORT: it is the port that Prometheus asks.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    django.setup()
    settings.PATHS.metrics.mkdir(mode=0o700, exist_ok=True)
    for path in files(settings.PATHS.metrics):
        if not is_alive(path):  # of an earlier start
            path.unlink(missing_ok=True)
    registry = CollectorRegistry()
    registry.register(Counts())
    registry.register(Rows())
    server, thread = start_http_server(port, env().memweb_metrics_host, registry)
    with closing(server.socket):
        thread.join()


if __name__ == "__main__":
    main()

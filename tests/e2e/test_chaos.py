"""Nothing is lost: a product of its own is struck while messages are sent, and counted as in `benchmarks/chaos.py`."""

import signal

import pytest

from benchmarks.chaos import Blow, Plan, run

pytestmark = [pytest.mark.xdist_group("product"), pytest.mark.timeout(480)]

KILLED = ("worker-runs", "valkey", "web", "postgres", "worker-background")


def test_kill_9_of_anything_loses_nothing_and_does_nothing_twice() -> None:
    blows = tuple(Blow(victim) for victim in KILLED)
    result = run(Plan(agents=3, messages=40, faults=3, documents=1, seed=3, given=blows))
    assert result.good, str(result)
    assert len(result.replies) == len(blows)


def test_a_process_that_hangs_is_noticed_and_replaced() -> None:
    blows = (Blow("worker-runs", signal.SIGSTOP), Blow("web", signal.SIGSTOP))
    silence = {"MEMWEB_SILENCE_SECONDS": "8"}
    result = run(Plan(agents=2, messages=8, faults=0, documents=1, settings=silence, given=blows))
    assert result.good, str(result)
    assert len(result.replies) == len(blows)

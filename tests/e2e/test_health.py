"""Probes of the running product: alive, ready, and what is wrong when something is."""

import json
import urllib.error
import urllib.request
from typing import Any

from memweb.health import ALIVE, READY
from tests.processes import until
from tests.product import Product


def asked(address: str, **headers: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_is_alive_and_ready_by_whatever_name_it_is_asked(product: Product) -> None:
    assert asked(product.url + ALIVE, Host="10.0.0.7") == (200, {"alive": True})
    until(lambda: asked(product.url + READY)[0] == 200, "a product that is ready", 60)
    status, told = asked(product.url + READY, Host="10.0.0.7")
    assert (status, told["ready"], told["faults"]) == (200, True, {})
    assert told["checked"] == [*["database", "migrations", "broker", "workers", "clock", "disk", "model", "embeddings"]]


def test_status_prints_it(product: Product) -> None:
    until(lambda: asked(product.url + READY)[0] == 200, "a product that is ready", 60)
    assert "workers      ok\nclock        ok" in product.memweb("status")

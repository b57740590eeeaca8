"""Programs against the running product: real HTTP, the real client packages, unmodified."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from letta_client import Letta

from tests.product import Newcomer, Product


@pytest.fixture
def someone(product: Product) -> Newcomer:
    return product.newcomer()


@pytest.fixture
def letta(product: Product, someone: Newcomer) -> Iterator[Letta]:
    """letta-client as a person who is new here. It calls `messages.stream` deprecated, which is used everywhere."""
    with warnings.catch_warnings(), Letta(base_url=product.url, api_key=someone.token, max_retries=0) as client:
        warnings.filterwarnings("ignore", message=re.escape("deprecated"), category=DeprecationWarning)
        yield client


@pytest.fixture
def http(product: Product, someone: Newcomer) -> Iterator[httpx.Client]:
    """The same person without a client's help."""
    headers = {"Authorization": f"Bearer {someone.token}"}
    with httpx.Client(base_url=product.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def nothing_fails(product: Product) -> Iterator[None]:
    """A door that fails is a bug, whatever it answered."""
    before = len(product.output())
    yield
    told = product.output()[before:]
    assert "Traceback" not in told, told


@pytest.fixture
def sam(letta: Any) -> Any:
    return letta.agents.create(
        name="Sam",
        memory_blocks=[{"label": "persona", "value": "I am Sam."}, {"label": "human", "value": "Name: Ann"}],
    )

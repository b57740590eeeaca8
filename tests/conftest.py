"""What most tests start from: alice with an agent, and a scripted model behind real HTTP."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone, translation
from pytest_django import Settings
from xdist.scheduler import LoadScopeScheduling

from agents import quotas, services
from agents.llm import adapting
from agents.llm.scripted import Answer, Brain, ScriptedServer
from agents.models import Agent, Run
from tests.brain import brain
from tests.product import Product

# Where the tests of the whole product are: one process runs them all, and starts it once.
DOORS = ("agent_moves", "approvals", "bad_input", "letta", "mcp", "openai", "own_files", "own_functions", "schema")
OF_PRODUCT = ("tests/e2e/", *(f"tests/api/test_{name}" for name in DOORS))


class TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Of tests that run side by side, those of the product in one process, each other wherever there is room."""

    def _split_scope(self, nodeid: str) -> str:
        return "product" if nodeid.startswith(OF_PRODUCT) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherScheduling:
    return TogetherScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of the product come first, those in a browser last of them.

    Playwright leaves an event loop running in its thread, which the gateway refuses, until the browser is closed.
    """
    elsewhere = [item.nodeid for item in items if uses_product(item) and not item.nodeid.startswith(OF_PRODUCT)]
    if elsewhere:
        raise pytest.UsageError(f"Tests of the product that OF_PRODUCT does not know: {elsewhere[:3]}")
    items.sort(key=lambda item: (not uses_product(item), item.get_closest_marker("e2e") is not None))


def uses_product(item: pytest.Item) -> bool:
    return "product" in getattr(item, "fixturenames", ())


ServeModel = Callable[[Brain | list[Answer]], ScriptedServer]


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob")


def make_agent(owner: User, name: str = "Sam", context_window: int = 8192) -> Agent:
    draft = services.AgentDraft(
        name=name,
        persona="My name is Sam.",
        human="We have just met.",
        context_window=context_window,
    )
    return services.agent_create(owner=owner, draft=draft)


@pytest.fixture
def agent(alice: User) -> Agent:
    return make_agent(alice)


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    """Of model servers and quotas: each test begins as a new process does."""
    adapting.forget()
    quotas.forget()


@pytest.fixture(autouse=True)
def nobody_asked_before() -> Iterator[None]:
    """A request leaves its language and zone behind in its thread, which is the tests' own here."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture
def serve_model(settings: Settings) -> Iterator[ServeModel]:
    """Start a scripted model and make it the configured endpoint."""
    with ExitStack() as stack:

        def serve(brain: Brain | list[Answer]) -> ScriptedServer:
            server = stack.enter_context(ScriptedServer(brain))
            settings.LLM = replace(settings.LLM, base_url=server.url, timeout=5.0)
            return server

        yield serve


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="memweb-product-"))
    home.chmod(0o711)
    with ScriptedServer(brain) as model:
        product = Product(home, model)
        product.start()
        yield product
        product.stop()


def exchange(agent: Agent, text: str) -> Run:
    """Send a message and work on its run in this thread, through the doors a worker uses."""
    run = services.message_send(agent=agent, text=text)
    while services.run_next(agent_id=agent.pk):
        pass
    run.refresh_from_db()
    agent.refresh_from_db()
    return run

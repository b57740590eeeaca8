"""Models on this machine, in the dialog of connections, where nothing can be fetched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from agents.llm.scripted import ScriptedServer
from memweb.stack import catalogue
from memweb.stack.paths import StackPaths
from tests.brain import brain
from tests.e2e.page import answer_yes, create_agent
from tests.e2e.test_accessibility import both_themes
from tests.product import Product

pytestmark = pytest.mark.e2e

OTHER = "qwen2.5-coder-0.5b"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Its own model is the local one, whose file is not there. One for each test: what is wished is kept."""
    with ScriptedServer(brain) as nobody:
        nowhere = Product(
            tmp_path / "home",
            nobody,
            OPENAI_BASE_URL="",
            MEMWEB_LOCAL_MODEL="qwen2.5-coder-1.5b",
            MEMWEB_LOCAL_MODEL_FILE="/none.gguf",
            HF_ENDPOINT="http://127.0.0.1:9",
            PIP_NO_INDEX="1",
        )
        with nowhere as product:
            yield product


def test_a_model_is_wished_for_paused_and_given_up(page: Page, product: Product) -> None:
    create_agent(page)
    expect(page.locator("#model-banner")).to_contain_text("there is no such file")
    page.locator("#model-connections").click()
    row = page.locator("#local-models li", has_text=OTHER)
    expect(row).to_contain_text("Not measured here.")
    row.get_by_role("button", name="Download").click()
    expect(row).to_contain_text("could not be downloaded", timeout=60_000)
    both_themes(page, "models on this machine")
    row.get_by_role("button", name="Pause").click()
    expect(row.get_by_role("button", name="Go on")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    both_themes(page, "models on this machine, narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#local-models").evaluate("part => part.scrollWidth <= part.clientWidth")
    row.get_by_role("button", name="Delete").click()
    answer_yes(page)
    expect(row).to_contain_text("It is not on this machine.")


def test_another_model_is_used_where_the_first_cannot_be(page: Page, product: Product) -> None:
    """Its file is not what it should be, which the page tells, with the new name wherever it stands."""
    create_agent(page)
    (StackPaths(product.home).models / catalogue.find(OTHER).file).touch()
    page.locator("#model-connections").click()
    page.locator("#local-models li", has_text=OTHER).get_by_role("button", name="Use it").click()
    expect(page.locator("#installation-model")).to_have_text(OTHER)
    expect(page.locator("#model-pill")).to_have_text(OTHER)
    expect(page.locator("#model-banner")).to_contain_text(
        f"The local model {OTHER} could not be downloaded", timeout=60_000
    )

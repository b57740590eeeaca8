"""The admin's lists: what agents and people have used is right, and long lists ask no more than short ones."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import services
from agents.models import (
    Agent,
    AgentBlock,
    Block,
    BlockRevision,
    Checkpoint,
    Document,
    Message,
    Passage,
    Persona,
    Run,
    Step,
)
from agents.person import person_reads
from tests.conftest import make_agent

REGISTERED = [model for model in admin.site._registry if model._meta.app_label == "agents" or model is User]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def root(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("charlie"))
    return client


def shown(root: Client, model: type[Model], **asked: str) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return root.get(url, asked).content.decode()


def page_of(root: Client, row: Model) -> str:
    return root.get(reverse(f"admin:agents_{row._meta.model_name}_change", args=[row.pk])).content.decode()


def figures(markup: str, name: str) -> dict[str, str]:
    """The cells of the list's row that is called `name`, by column."""
    row = next(row for row in re.findall(r"<tr>.*?</tr>", markup, re.DOTALL) if f">{name}</a>" in row)
    cells = re.findall(r'class="field-(\w+)[^"]*">(.*?)</t[dh]>', row, re.DOTALL)
    return {column.removeprefix("used_"): re.sub(r"<[^>]*>", "", cell) for column, cell in cells}


def use(agent: Agent, *, runs: int, steps: int, passages: int, documents: int) -> None:
    """Two messages a run; 1,000 tokens of a step's prompt are 250 from a cache."""
    for number in range(runs):
        run = Run.objects.create(agent=agent, trigger="user_message", status="done", idempotency_key=str(number))
        said = [Message(agent=agent, run=run, kind="user_message", created_at=NOW) for _ in range(2)]
        Message.objects.bulk_create(said)
        kept = {"prompt_tokens": 1000, "cached_tokens": 250, "completion_tokens": 30, "queue_start": 1, "last_seq": 1}
        Step.objects.bulk_create([Step(run=run, number=at, model="m", **kept) for at in range(steps)])
    Passage.objects.bulk_create([Passage(archive=agent.archive, text="A lamp.") for _ in range(passages)])
    for number in range(documents):
        kinds = {"sha256": str(number), "media_type": "text/plain", "size": 3}
        Document.objects.create(archive=agent.archive, name=f"{number}.txt", file=f"{number}.txt", **kinds)


@pytest.fixture
def used(agent: Agent) -> Agent:
    agent.messages.all().delete()  # the note of the first visit
    use(agent, runs=3, steps=4, passages=5, documents=2)
    return agent


def test_an_agents_figures_do_not_multiply_one_another(root: Client, used: Agent) -> None:
    idle = make_agent(used.owner, "Idle")
    idle.messages.all().delete()
    markup = shown(root, Agent)
    wanted = {"runs": "3", "steps": "12", "prompt": "12,000", "cached": "25 %", "completion": "360"}
    wanted |= {"messages": "6", "passages": "5", "documents": "2"}
    assert wanted.items() <= figures(markup, "Sam").items()
    assert dict.fromkeys(wanted, "0") | {"cached": "–"} == {k: figures(markup, "Idle")[k] for k in wanted}
    assert "12,000" in page_of(root, used)


def test_a_persons_figures_are_those_of_all_their_agents(root: Client, used: Agent, bob: User) -> None:
    use(make_agent(used.owner, "Ada"), runs=1, steps=1, passages=2, documents=1)
    Agent.objects.filter(pk=used.pk).update(last_active_at=NOW)
    Agent.objects.filter(name="Ada").update(last_active_at=NOW.replace(year=2027))
    markup = shown(root, User)
    wanted = {"runs": "4", "steps": "13", "prompt": "13,000", "cached": "25 %", "completion": "390"}
    wanted |= {"messages": "9", "passages": "7", "documents": "3", "agent_count": "2"}  # Ada's first visit is noted
    found = figures(markup, "alice")
    assert wanted.items() <= found.items()
    assert "2027" in found["last_active"]
    assert figures(markup, "bob")["runs"] == "0" and figures(markup, "bob")["agent_count"] == "0"


def test_what_was_taken_back_is_not_counted(root: Client, used: Agent) -> None:
    for row in (used.messages.first(), used.archive.passages.first()):
        assert row
        row.retracted_at = timezone.now()
        row.save()
    found = figures(shown(root, Agent), "Sam")
    assert (found["messages"], found["passages"]) == ("5", "4")


def test_agents_can_be_sorted_by_what_they_used(root: Client, used: Agent) -> None:
    use(make_agent(used.owner, "Ada"), runs=1, steps=1, passages=9, documents=0)
    columns = re.findall(r'class="(?:sortable )?column-(\w+)', shown(root, Agent))
    for column, first in (("used_runs", "Sam"), ("used_passages", "Ada")):
        sorted_rows = shown(root, Agent, o=f"-{columns.index(column) + 1}")
        assert re.findall(r'field-name"><a[^>]*>(\w+)<', sorted_rows)[0] == first


def test_one_list_of_a_person_leads_to_their_agents(root: Client, agent: Agent, bob: User) -> None:
    make_agent(bob, "Other")
    address = re.search(r'field-agent_count"><a href="([^"]*)"', shown(root, User))
    assert address
    markup = root.get(unescape(address[1])).content.decode()
    assert ">Sam</a>" in markup and ">Other</a>" not in markup


def more_of_everything(number: int) -> None:
    owner = User.objects.create_user(f"person {number}")
    agent = make_agent(owner, f"Agent {number}")
    use(agent, runs=2, steps=2, passages=2, documents=2)
    block = agent.blocks.get(label="human")
    services.block_edit(block=block, value=f"Number {number}.", from_revision=1, editor=owner)
    AgentBlock.objects.create(agent=agent, block=Block.objects.create(owner=owner, label="spare"))
    Passage.objects.bulk_create(
        [Passage(archive=d.archive, document=d, text="A.") for d in agent.archive.documents.all()]
    )
    services.checkpoint_create(agent=agent, name="first")
    person_reads(person=owner, language="en")
    Persona.objects.create(owner=owner, name="Mine", text="My name is Sam.")


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_a_longer_list_asks_the_database_no_more(root: Client, model: type[Model]) -> None:
    more_of_everything(0)
    shown(root, model)  # content types and the like are known from here on
    with CaptureQueriesContext(
        connection,
    ) as few:
        shown(root, model)
    for number in range(1, 6):
        more_of_everything(number)
    with CaptureQueriesContext(connection) as many:
        shown(root, model)
    assert len(many) <= len(few), [query["sql"][:200] for query in many]


# Blocks and presets


def test_a_block_tells_its_last_change_in_words(root: Client, agent: Agent) -> None:
    block = agent.blocks.get(label="human")
    services.block_edit(block=block, value="We have met <twice>.", from_revision=1, editor=agent.owner)
    for markup in (shown(root, Block), page_of(root, block)):
        assert "<ins>met &lt;twice&gt;</ins>" in markup or "<ins>&lt;twice&gt;</ins>" in markup, markup
        assert "person alice" in markup
    assert f'href="{reverse("admin:agents_agent_change", args=[agent.pk])}">Sam</a>' in shown(root, Block)


def test_a_blocks_history_says_who_it_was(root: Client, agent: Agent) -> None:
    block = agent.blocks.get(label="human")
    run = Run.objects.create(agent=agent, trigger="user_message", status="done", idempotency_key="1")
    step = Step.objects.create(run=run, number=1, model="m", queue_start=1, last_seq=1)
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("agent", {"agent": agent, "step": step}),
        ("user", {"user": agent.owner}),
        ("agent", {}),
    ]
    kinds += [("rollback", {"user": agent.owner, "restores": 1})]
    for number, (editor, whose) in enumerate(kinds, start=2):
        BlockRevision.objects.create(block=block, number=number, value=f"Text {number}.", editor=editor, **whose)
    markup = page_of(root, block)
    for told in ("agent Sam", "person alice", "an agent that is gone", "taken back by alice", "back to #1", "import"):
        assert told in markup
    assert f'href="{reverse("admin:agents_run_change", args=[run.pk])}">run {run.pk}, step 1</a>' in markup
    assert "We have just met." in markup


def test_texts_too_long_to_compare_are_not_compared(root: Client, agent: Agent) -> None:
    block = agent.blocks.get(label="human")
    Block.objects.filter(pk=block.pk).update(limit=100_000)
    block.refresh_from_db()
    services.block_edit(block=block, value="a b " * 20_000, from_revision=1, editor=agent.owner)
    assert "Too long to compare." in page_of(root, block)
    assert "Too long to compare." in shown(root, Block)


def test_a_preset_tells_which_agents_began_with_it(root: Client, agent: Agent, bob: User) -> None:
    shared = Persona.objects.create(name="Quill", text="My name is Sam.")
    bobs = Persona.objects.create(owner=bob, name="Quill", text="My name is Sam.")
    persona = agent.blocks.get(label="persona")
    assert figures(shown(root, Persona, owner__isnull="True"), "Quill")["begun_count"] == "1"
    assert figures(shown(root, Persona, owner__isnull="False"), "Quill")["begun_count"] == "0"
    assert "as it began" in page_of(root, shared) and ">Sam</a>" in page_of(root, shared)
    assert ">Sam</a>" not in page_of(root, bobs)
    block_page = page_of(root, persona)
    assert reverse("admin:agents_persona_change", args=[shared.pk]) in block_page
    assert reverse("admin:agents_persona_change", args=[bobs.pk]) not in block_page
    services.block_edit(block=persona, value="I am Sam.", from_revision=1, editor=agent.owner)
    assert "changed since" in page_of(root, shared)


def test_lengths_are_shown_beside_limits_and_too_long_a_text_can_be_typed(root: Client, agent: Agent) -> None:
    markup = page_of(root, agent.blocks.get(label="human"))
    assert "17 of 2,000 characters" in markup and "maxlength" not in (re.findall("<textarea[^>]*>", markup)[0])
    preset = Persona.objects.create(name="Quill", text="x" * 1999 + "é")
    markup = page_of(root, preset)
    assert "2,000 of 2,000 characters" in markup and "maxlength" not in (re.findall("<textarea[^>]*>", markup)[0])
    add = reverse("admin:agents_persona_add")
    root.post(add, {"name": "Lines", "text": "a" + "\r\n" * 1998 + "b"})
    assert Persona.objects.get(name="Lines").text == "a" + "\n" * 1998 + "b"


def test_a_checkpoint_can_be_read_and_deleted_but_not_written(root: Client, agent: Agent) -> None:
    kept = services.checkpoint_create(agent=agent, name="before")
    assert "We have just met." in page_of(root, kept)
    url = reverse("admin:agents_checkpoint_change", args=[kept.pk])
    assert root.post(url, {"name": "after"}).status_code == 403
    root.post(reverse("admin:agents_checkpoint_delete", args=[kept.pk]), {"post": "yes"})
    assert not Checkpoint.objects.exists()


def test_a_message_shows_what_it_said_before(root: Client, agent: Agent) -> None:
    message = agent.messages.get()
    message.earlier = [{"until": "2026-01-01", "content": "The old words.", "inner_monologue": "", "calls": []}]
    message.save()
    assert "The old words." in page_of(root, message)

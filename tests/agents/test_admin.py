"""The admin: every list and page opens; editing a block there is an edit like any other."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from pytest_django import Settings

from agents import selectors, services
from agents.broadcast import bus
from agents.broadcast.events import BlockChanged, Event
from agents.ingest import working
from agents.llm.scripted import say
from agents.llm.secrets import Secrets
from agents.models import (
    Agent,
    AgentBlock,
    Archive,
    Block,
    BlockRevision,
    Checkpoint,
    Connection,
    Document,
    FunctionSource,
    Human,
    InstalledFunction,
    Message,
    Passage,
    Persona,
    Preferences,
    Quota,
    Run,
    Step,
    Token,
)
from agents.person import person_reads
from memweb.stack.paths import StackPaths
from tests.conftest import ServeModel, exchange, make_agent

REGISTERED = [model for model in admin.site._registry if model._meta.app_label == "agents"]
SEARCHES: dict[type[Model], str] = {
    Persona: "companion",
    Human: "acquaintance",
    Block: "human",
    Agent: "Sam",
    Archive: "alice",
    Document: "log.txt",
    Run: "alice",
    Message: "Hello",
    Passage: "lamp burns",
    Checkpoint: "Sam",
    Preferences: "alice",
    Token: "cron",
    Quota: "alice",
    FunctionSource: "lake.py",
    Connection: "Ours",
}

Fields = dict[str, str]


class _Form(HTMLParser):
    """What a browser would send of a page's fields."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.fields: Fields = {}
        self.box = ""
        self.select = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name and kind in ("text", "number", "hidden"):
            self.fields[name] = given.get("value", "")
        elif tag == "input" and kind == "checkbox" and "checked" in given:
            self.fields[name] = "on"
        elif tag == "textarea":
            self.box, self.fields[name] = name, ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and "selected" in given:
            self.fields[self.select] = given["value"]

    def handle_data(self, data: str) -> None:
        if self.box:
            self.fields[self.box] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            text = self.fields[self.box].removeprefix("\r").removeprefix("\n")  # as HTML does
            self.fields[self.box], self.box = text.replace("\n", "\r\n"), ""


@pytest.fixture
def root(client: Client, db: None) -> Client:
    """The operator's browser."""
    client.force_login(User.objects.create_superuser("charlie"))
    return client


@pytest.fixture
def everything(agent: Agent, serve_model: ServeModel, settings: Settings, tmp_path: Path) -> Agent:
    """At least one row of each model."""
    settings.MEDIA_ROOT = tmp_path
    serve_model([say("Hello.")])
    exchange(agent, "Hi")
    file = SimpleUploadedFile("log.txt", b"The lamp burns.")
    working.work(services.document_add(archive=agent.archive, file=file))
    services.checkpoint_create(agent=agent, name="before the storm")
    person_reads(person=agent.owner, language="en")
    Quota.objects.create(user=agent.owner, agents=5)
    source = FunctionSource.objects.create(name="lake.py", error="It is broken.")
    InstalledFunction.objects.create(source=source, name="depth")
    services.token_create(owner=agent.owner, name="cron")
    Connection.objects.create(name="Ours", base_url="https://example.org/v1")
    return agent


@pytest.fixture
def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def page_of(row: Model, action: str = "change") -> str:
    return reverse(f"admin:agents_{row._meta.model_name}_{action}", args=[row.pk])


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:agents_{model._meta.model_name}_changelist")


def opened(root: Client, row: Model) -> Fields:
    answer = root.get(page_of(row))
    assert answer.status_code == 200
    return _Form(answer.content.decode()).fields


def saved(root: Client, row: Model, fields: Fields) -> str:
    """What a browser shows after pressing Save: the list with a message, or the page with errors."""
    answer = root.post(page_of(row), fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def errors(markup: str) -> str:
    return " ".join(re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', markup, re.DOTALL))


# Opening


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_every_list_search_filter_and_page_opens(root: Client, everything: Agent, model: type[Model]) -> None:
    url = list_of(model)
    markup = root.get(url).content.decode()
    row = model._default_manager.latest("pk")
    assert page_of(row).removesuffix("change/") in markup
    for column in re.findall(r'href="(\?o=[^"]*)"', markup):
        assert root.get(url + column).status_code == 200
    for choice in re.findall(r'href="(\?\w+__[^"]*)"', markup):
        assert root.get(url + choice.replace("&amp;", "&")).status_code == 200
    assert root.get(page_of(row)).status_code == 200
    assert root.get(page_of(row, "history")).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_every_list_can_be_searched(root: Client, everything: Agent, model: type[Model]) -> None:
    assert root.get(list_of(model), {"q": SEARCHES[model]}).context["cl"].result_count
    assert not root.get(list_of(model), {"q": "nosuchthing"}).context["cl"].result_count


def test_what_only_the_engine_writes_cannot_be_written(root: Client, everything: Agent) -> None:
    run = Run.objects.get()
    assert root.post(page_of(run), {"status": "failed"}).status_code == 403
    assert root.post(page_of(run, "delete"), {"post": "yes"}).status_code == 403
    for row in (Message.objects.latest("pk"), Passage.objects.get()):
        assert root.post(page_of(row), {"content": "Forged.", "text": "Forged."}).status_code == 403
        assert root.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    for model in (Run, Agent, Document, Message, Passage, Checkpoint, Preferences, Token):
        assert root.get(reverse(f"admin:agents_{model._meta.model_name}_add")).status_code == 403
    document = Document.objects.get()
    saved(root, document, {"name": "other.txt", "status": "failed"})
    document.refresh_from_db()
    assert (document.name, document.status) == ("log.txt", "ready")


@pytest.mark.parametrize("staff", [False, True])
def test_others_do_not_get_in(client: Client, everything: Agent, bob: User, staff: bool) -> None:
    bob.is_staff = staff  # without any permission
    bob.save()
    client.force_login(bob)
    for model in REGISTERED:
        assert client.get(list_of(model)).status_code == (403 if staff else 302)
        assert client.get(page_of(model._default_manager.latest("pk"))).status_code == (403 if staff else 302)


# Connections


def test_a_connection_is_made_for_everybody_and_its_key_is_never_shown(root: Client, bob: User) -> None:
    fields = {"name": "Ours", "base_url": "https://example.org/v1", "timeout": "60", "headers": ""}
    add = reverse("admin:agents_connection_add")
    refused = root.post(add, fields | {"key": "two words"})
    assert "one word" in errors(refused.content.decode()) and not Connection.objects.exists()
    root.post(add, fields | {"key": "sk-very-secret"})
    row = Connection.objects.get()
    assert row.owner is None and [*selectors.connections_of(bob)] == [row]
    assert "sk-very-secret" not in root.get(page_of(row)).content.decode() + str(vars(row))
    root.post(page_of(row), fields | {"name": "Renamed", "key": ""})
    row.refresh_from_db()
    assert row.name == "Renamed" and Secrets.of(row.secrets).key == "sk-very-secret"


def test_a_persons_own_connection_can_be_looked_at_and_removed(root: Client, agent: Agent) -> None:
    row = Connection.objects.create(owner=agent.owner, name="Mine", base_url="https://example.org/v1")
    services.agent_choose_model(agent=agent, choice=services.ModelChoice(connection=row, model="a"))
    assert root.get(page_of(row)).status_code == 200
    assert root.post(page_of(row), {"name": "Taken", "base_url": "https://example.org"}).status_code == 403
    root.post(page_of(row, "delete"), {"post": "yes"})
    assert not Connection.objects.exists() and Agent.objects.get().model == ""


# Access tokens


def test_a_token_is_revoked_and_nothing_of_it_can_be_read(root: Client, alice: User) -> None:
    tokens, text = zip(*(services.token_create(owner=alice, name=name) for name in ("cron", "shell")), strict=True)
    assert all(token.sha256 not in root.get(page_of(token)).content.decode() for token in tokens)
    assert root.post(page_of(tokens[0]), {"name": "Forged."}).status_code == 403
    assert root.post(page_of(tokens[0], "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "revoke", "_selected_action": str(tokens[0].pk)}
    assert "1 token was revoked." in root.post(list_of(Token), chosen, follow=True).content.decode()
    assert not services.token_use(text=text[0]) and services.token_use(text=text[1])


def test_who_may_only_look_cannot_revoke(client: Client, alice: User, bob: User) -> None:
    token, text = services.token_create(owner=alice, name="cron")
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename="view_token"))
    client.force_login(bob)
    assert "cron" in client.get(list_of(Token)).content.decode()
    client.post(list_of(Token), {"action": "revoke", "_selected_action": str(token.pk)})
    assert services.token_use(text=text)


# Editing a block


def test_an_edit_is_a_revision_of_the_admins(root: Client, human: Block) -> None:
    markup = saved(root, human, opened(root, human) | {"value": "Name: Ada.\r\nA keeper."})
    assert "was changed successfully" in markup
    human.refresh_from_db()
    assert (human.value, human.revision) == ("Name: Ada.\nA keeper.", 2)
    revision = human.revisions.get(number=2)
    assert (revision.value, revision.editor, revision.editor_name) == (human.value, "user", "charlie")


def test_an_edit_reaches_open_pages(
    root: Client, agent: Agent, human: Block, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    other = make_agent(agent.owner, "Ada")
    AgentBlock.objects.create(agent=other, block=human)
    told: list[tuple[str, Event]] = []
    monkeypatch.setattr(bus, "publish", lambda group, event: told.append((group, event)))
    with django_capture_on_commit_callbacks(execute=True):
        saved(root, human, opened(root, human) | {"value": "Name: Ada."})
    groups = {group for group, event in told if event == BlockChanged(human.pk, "human")}
    assert groups == {bus.agent_group(agent.pk), bus.agent_group(other.pk)}


def test_another_description_or_limit_reaches_open_pages_and_is_no_revision(
    root: Client, human: Block, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[Event] = []
    monkeypatch.setattr(bus, "publish", lambda _, event: told.append(event))
    with django_capture_on_commit_callbacks(execute=True):
        saved(root, human, opened(root, human) | {"description": "All about them.", "limit": "500"})
    human.refresh_from_db()
    assert (human.description, human.limit, human.revision) == ("All about them.", 500, 1)
    assert BlockChanged(human.pk, "human") in told


@pytest.mark.parametrize("text", ["We have just met.", "Two\nlines.", "\nAfter an empty line."])
def test_saving_without_a_change_is_no_revision(root: Client, human: Block, text: str) -> None:
    services.block_edit(block=human, value=text, from_revision=1, editor=human.owner)
    before = human.revisions.count()
    saved(root, human, opened(root, human))
    human.refresh_from_db()
    assert (human.value, human.revisions.count()) == (text, before)


def test_a_stale_edit_is_refused_with_both_texts_and_wins_when_saved_again(
    root: Client, alice: User, human: Block
) -> None:
    fields = opened(root, human) | {"value": "The admin's text."}
    services.block_edit(block=human, value="Alice's newer text.", from_revision=1, editor=alice)
    markup = saved(root, human, fields)
    assert "It now says: “Alice&#x27;s newer text.”" in errors(markup)
    again = _Form(markup).fields
    assert (again["value"], again["from_revision"]) == ("The admin's text.", "2")
    human.refresh_from_db()
    assert human.value == "Alice's newer text."
    assert not errors(saved(root, human, again))
    values = human.revisions.order_by("number").values_list("value", flat=True)
    assert list(values) == ["We have just met.", "Alice's newer text.", "The admin's text."]


def test_a_form_without_a_revision_is_stale(root: Client, alice: User, human: Block) -> None:
    fields = opened(root, human) | {"value": "The admin's text."}
    del fields["from_revision"]
    assert "was changed while you were editing" in errors(saved(root, human, fields))


def test_a_text_over_the_limit_is_a_form_error(root: Client, human: Block) -> None:
    fields = opened(root, human)
    markup = saved(root, human, fields | {"value": "x" * 2001})
    assert "This text has 2,001 characters; the block holds 2,000." in errors(markup)
    assert _Form(markup).fields["value"] == "x" * 2001
    assert human.revisions.count() == 1
    assert not errors(saved(root, human, fields | {"value": "a" + "\r\n" * 1998 + "b"}))


@pytest.mark.parametrize(("limit", "length"), [(10, 10), (3000, 3000)])
def test_limit_and_text_can_be_changed_together(root: Client, human: Block, limit: int, length: int) -> None:
    fields = opened(root, human) | {"limit": str(limit), "value": "x" * length}
    assert not errors(saved(root, human, fields))
    human.refresh_from_db()
    assert (human.limit, human.value, human.revision) == (limit, "x" * length, 2)


def test_a_limit_below_the_text_is_a_form_error(root: Client, human: Block) -> None:
    assert "the block holds 5." in errors(saved(root, human, opened(root, human) | {"limit": "5"}))


def test_revisions_are_shown_and_cannot_be_changed(root: Client, human: Block) -> None:
    services.block_edit(block=human, value="Second.", from_revision=1, editor=human.owner)
    markup = root.get(page_of(human)).content.decode()
    assert "Second." in markup and "We have just met." in markup
    assert not [name for name in _Form(markup).fields if re.match(r"revisions-\d+-(value|number|editor)", name)]
    first, second = human.revisions.order_by("number")
    forged = {f"revisions-0-{name}": value for name, value in {"id": str(second.pk), "value": "Forged."}.items()}
    saved(root, human, opened(root, human) | forged | {"revisions-0-DELETE": "on"})
    assert {(r.pk, r.value) for r in BlockRevision.objects.filter(block=human)} == {
        (first.pk, "We have just met."),
        (second.pk, "Second."),
    }


def test_a_block_made_in_the_admin_has_its_first_revision(root: Client, alice: User) -> None:
    add = reverse("admin:agents_block_add")
    fields = _Form(root.get(add).content.decode()).fields
    fields |= {"owner": str(alice.pk), "label": "house rules", "value": "No shoes.\r\nNo shouting.", "limit": "100"}
    root.post(add, fields, follow=True)
    block = Block.objects.get(label="house rules")
    revision = block.revisions.get()
    assert (block.value, revision.number, revision.value) == ("No shoes.\nNo shouting.", 1, block.value)


# Presets


def test_a_shared_preset_is_offered_to_everybody(root: Client, alice: User) -> None:
    add = reverse("admin:agents_persona_add")
    root.post(add, {"name": "Quill", "text": "I write letters."})
    client = Client()
    client.force_login(alice)
    assert "Quill" in client.get(reverse("home")).content.decode()
    assert "already exists" in errors(root.post(add, {"name": "Quill", "text": "Again."}).content.decode())
    assert "at most 2000 characters" in errors(root.post(add, {"name": "Q2", "text": "x" * 2001}).content.decode())


# Deleting


def test_a_person_is_deleted_with_everything_of_theirs(root: Client, everything: Agent, alice: User) -> None:
    url = reverse("admin:auth_user_delete", args=[alice.pk])
    assert "Are you sure" in root.get(url).content.decode()
    assert root.post(url, {"post": "yes"}).status_code == 302
    assert not any(model._default_manager.exists() for model in (Agent, Archive, Block, Document, Passage, Run))


def in_bulk(root: Client, row: Model) -> None:
    chosen = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    assert root.post(list_of(type(row)), chosen, follow=True).status_code == 200


def one(root: Client, row: Model) -> None:
    assert root.post(page_of(row, "delete"), {"post": "yes"}, follow=True).status_code == 200


@pytest.mark.parametrize("delete", [one, in_bulk])
def test_a_deleted_agent_leaves_no_memory_behind(root: Client, everything: Agent, delete: Any) -> None:
    shared = Block.objects.create(owner=everything.owner, label="shared")
    for agent in (everything, make_agent(everything.owner, "Ada")):
        AgentBlock.objects.create(agent=agent, block=shared)
    delete(root, everything)
    assert [agent.name for agent in Agent.objects.all()] == ["Ada"]
    assert [archive.name for archive in Archive.objects.all()] == ["Ada"]
    assert set(Block.objects.filter(agents__name="Ada")) == set(Block.objects.all()) and Block.objects.count() == 3
    assert not Passage.objects.exists()


@pytest.mark.parametrize("delete", [one, in_bulk])
def test_a_deleted_document_takes_its_file_along(
    root: Client, everything: Agent, delete: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        delete(root, Document.objects.get())
    assert not Document.objects.exists() and not Passage.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_first_page_tells_how_the_last_backup_went(root: Client, settings: Settings, tmp_path: Path) -> None:
    settings.PATHS = StackPaths(tmp_path)
    settings.ENV = settings.ENV.model_copy(update={"memweb_backup_keep": 0})
    page = root.get("/admin/").content.decode()
    assert "There is no backup yet." in page and "MEMWEB_BACKUP_KEEP is 0" in page and "Blocks" in page
    state = {"made_at": "2026-01-02T03:04:05+00:00", "folder": "/disk/kept/one"}
    failed = state | {"failed_at": "2026-01-03T03:04:05+00:00", "error": "The <disk> is full."}
    for said in (state, failed):
        settings.PATHS.backup_state.write_text(json.dumps(said))
        page = root.get("/admin/").content.decode()
        assert "ago: /disk/kept/one." in page
        assert ("ago: The &lt;disk&gt; is full." in page) == (said is failed)
    root.force_login(User.objects.create_user("clerk", is_staff=True))
    assert "backup" not in root.get("/admin/").content.decode()


def test_the_functions_of_an_agent(root: Client, agent: Agent) -> None:
    source = FunctionSource.objects.create(name="lake.py")
    for name in ("depth", "drain"):
        InstalledFunction.objects.create(source=source, name=name, ask_first=name == "drain")
    services.function_switch(agent=agent, name="depth", on=True)
    page = root.get(change := page_of(agent)).content.decode()
    assert page.count('name="functions"') == 10 and page.count('name="asked_about"') == 2
    fields: dict[str, Any] = _Form(page).fields | {
        "functions": ["send_message", "depth", "drain"],
        "asked_about": ["depth"],
    }
    assert root.post(change, fields).status_code == 302
    agent.refresh_from_db()
    assert agent.attached_functions == ["depth", "drain"] and agent.ask_first == ["depth", "drain"]
    assert len(agent.detached_functions) == 7
    silent = root.post(change, fields | {"functions": ["depth"]})
    assert "Without send_message an agent cannot speak." in silent.content.decode().replace("&quot;", "")
    agent.refresh_from_db()
    assert agent.attached_functions == ["depth", "drain"]


def test_how_memweb_is(root: Client, agent: Agent) -> None:
    empty = root.get("/admin/operation/").content.decode()
    assert empty.count("Nothing in the last 24 hours.") == 4 and "Why runs failed" not in empty
    assert "No worker takes the tasks of: background, ingest, runs." in empty
    ends = [("done", ""), ("done", ""), ("failed", "The <endpoint> is silent.")]
    for number, (status, error) in enumerate(ends):
        run = Run.objects.create(
            agent=agent, trigger="heartbeat", idempotency_key=str(number), status=status, error=error, started_at=now()
        )
        Step.objects.create(run=run, number=1, latency=2.0, prompt_tokens=700, queue_start=1, last_seq=1)
    Run.objects.create(agent=agent, trigger="heartbeat", idempotency_key="waits")
    page = root.get("/admin/operation/").content.decode()
    assert "done: 2, stopped: 0, failed: 1" in page and "prompt: 2,100, completion: 0" in page
    assert "half of them at most: 2, 95 of 100 at most: 2" in page
    assert "The &lt;endpoint&gt; is silent." in page and "waiting 1 · running 0" in page
    root.force_login(User.objects.create_user("clerk", is_staff=True))
    assert root.get("/admin/operation/").status_code == 302

"""What a person may have and use: as much as the operator says, told in a sentence; where nothing is set, nothing is
counted."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import quotas, runs, services
from agents.exceptions import InvalidInput, QuotaReached
from agents.external_context.archival_storage import Filing
from agents.ingest import working
from agents.llm.scripted import call, say
from agents.models import Agent, Document, Passage, Quota, Run, Step
from tests.conftest import ServeModel, exchange, make_agent

pytestmark = pytest.mark.django_db


def file(size: int) -> SimpleUploadedFile:
    return SimpleUploadedFile("log.txt", b"The lamp burns. " * (size // 16))


def test_without_a_quota_nothing_is_counted(agent: Agent) -> None:
    quotas.quota_of(agent.owner_id)
    with CaptureQueriesContext(connection) as queries:
        quotas.check_agents(agent.owner_id)
        quotas.check_passages(agent.owner_id, 10**9)
        quotas.check_bytes(agent.owner_id, 10**12)
        quotas.check_tokens(agent.owner_id)
        assert quotas.may_run(agent)
        assert quotas.next_to_run(Run(agent_id=agent.pk)) is None
    assert len(queries) == 0


def test_ones_own_quota_goes_before_everybodys(agent: Agent, alice: User, bob: User) -> None:
    Quota.objects.create(agents=1)
    with pytest.raises(QuotaReached, match=r"You may have 1 agent and have it\."):
        make_agent(alice, "Second")
    make_agent(bob)
    with pytest.raises(QuotaReached):
        make_agent(bob, "Second")
    Quota.objects.create(user=bob)
    make_agent(bob, "Second")
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.create(agents=5)


def test_no_more_passages_by_hand_by_the_agent_from_a_file_or_an_import(
    agent: Agent, alice: User, serve_model: ServeModel
) -> None:
    Quota.objects.create(user=alice, passages=2)
    services.passage_add(archive=agent.archive, text="one")
    filings = [Filing(text="two"), Filing(text="three")]
    with pytest.raises(QuotaReached, match=r"may hold 2 passages"):
        services.passages_add(archive=agent.archive, filings=filings)
    services.passage_add(archive=agent.archive, text="two")
    server = serve_model([call("archival_memory_insert", content="three"), say("I could not.")])
    exchange(agent, "File this.")
    told = json.loads(server.requests[-1]["messages"][-1]["content"])
    assert told["status"] == "Failed" and "may hold 2 passages" in told["message"]
    document = services.document_add(archive=agent.archive, file=file(200))
    working.work(document)
    document.refresh_from_db()
    assert document.status == Document.Status.FAILED and "may hold 2 passages" in document.error
    exported = services.agent_export(agent=agent).model_dump_json().encode()
    with pytest.raises(QuotaReached):
        services.agent_import(owner=alice, raw=exported, name="Again")
    assert Passage.objects.count() == 2 and alice.agents.count() == 1


def test_no_more_bytes_of_documents(agent: Agent, alice: User) -> None:
    Quota.objects.create(user=alice, megabytes=1)
    services.document_add(archive=agent.archive, file=file(600_000))
    with pytest.raises(QuotaReached, match=r"may have 1 MB together"):
        services.document_add(archive=agent.archive, file=file(500_000))
    services.document_add(archive=agent.archive, file=file(400_000))


def test_no_more_tokens_a_day(agent: Agent, alice: User, serve_model: ServeModel) -> None:
    serve_model([say("Hello."), say("Hello again.")])
    Quota.objects.create(user=alice, tokens_a_day=1000)
    run = services.message_send(agent=agent, text="hi", idempotency_key="first")
    exchange(agent, "and hi again")
    with pytest.raises(QuotaReached, match=r"used the 1,000 tokens"):
        services.message_send(agent=agent, text="hi")
    assert agent.runs.count() == 2 and agent.messages.filter(content="hi").count() == 1
    assert services.message_send(agent=agent, text="hi", idempotency_key="first") == run  # that one was taken
    Step.objects.update(created_at=timezone.now() - timedelta(days=1))
    services.message_send(agent=agent, text="hi")


def test_runs_at_once_wait_for_one_another(agent: Agent, alice: User, bob: User, monkeypatch: Any) -> None:
    woken: list[Any] = []
    monkeypatch.setattr("agents.dispatch.run_agent", woken.append)
    Quota.objects.create(user=alice, runs_at_once=1)
    other, of_bob = make_agent(alice, "Second"), make_agent(bob)
    for one in (agent, other, of_bob):
        services.message_send(agent=one, text="hi")
    run = runs.claim(agent.pk)
    assert run is not None
    assert runs.claim(other.pk) is None
    assert runs.claim(of_bob.pk) is not None
    woken.clear()
    runs.finish(run, Run.Status.DONE)
    assert woken == [other.pk]
    assert runs.claim(other.pk) is not None


@pytest.mark.parametrize(("blocks", "nested"), [(2000, 0), (0, 100_000)])
def test_an_import_beyond_measure_is_refused_in_a_sentence(agent: Agent, alice: User, blocks: int, nested: int) -> None:
    exported = json.loads(services.agent_export(agent=agent).model_dump_json())
    exported["core_memory"] += [{"label": f"b{n}", "value": "", "limit": 10} for n in range(blocks)]
    raw = json.dumps(exported)
    if nested:
        raw = raw.replace('"summary": ""', f'"summary": {"[" * nested}{"]" * nested}')
    with pytest.raises(InvalidInput, match="This is not an agent exported by memweb"):
        services.agent_import(owner=alice, raw=raw.encode(), name="Again")
    assert alice.agents.count() == 1


def test_the_operator_sees_what_is_used(agent: Agent, alice: User, admin_client: Client) -> None:
    quota = Quota.objects.create(user=alice, agents=3)
    page = admin_client.get(f"/admin/agents/quota/{quota.pk}/change/").content.decode()
    assert "Agents: 1" in page and "Tokens today: 0" in page
    refused = admin_client.post("/admin/agents/quota/add/", {"runs_at_once": "0"}).content.decode()
    assert "nobody would ever get an answer" in refused

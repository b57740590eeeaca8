"""A person, all of whose rows hold payloads: run in the product's own Django, whose forms would refuse some of them."""

import hashlib
import json
from itertools import cycle
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from agents import services
from agents.external_context import archival_storage, recall_storage
from agents.llm.embeddings import get_embedder
from agents.models import (
    Agent,
    Archive,
    Block,
    Checkpoint,
    Document,
    Human,
    Message,
    Passage,
    Persona,
    PromptPrefix,
    Run,
    Step,
    Summary,
)
from agents.text.clean import storable
from chat.login_tokens import login_tokens
from tests import payloads

Kind = Message.Kind
VECTOR = [1.0] + [0.0] * 383  # all the same: embedding a thousand texts would keep a core busy for minutes

texts = [storable(text) for text in payloads.ALL]
_next = cycle(texts)


def some(length: int) -> str:
    """Another payload that fits."""
    return next(text for text in _next if len(text) <= length)


def plant() -> None:
    """Make them; prints as JSON what addresses need."""
    owner = User.objects.create_superuser(some(150), some(150), first_name=some(150), last_name=some(150))
    agent = services.agent_create(owner=owner, draft=services.AgentDraft(name=some(80)))
    Agent.objects.filter(pk=agent.pk).update(
        model=some(120),
        description=some(200),
        tags=[some(80)],
        metadata={some(80): some(200)},
        system_instructions=_all(),
    )
    run, step = _runs(agent)
    blocks = _blocks(agent, owner)
    _messages(agent, run, step)
    archive = _archives(agent, owner)
    _presets(owner)
    checkpoint = services.checkpoint_create(agent=agent, name="one")
    Checkpoint.objects.filter(pk=checkpoint.pk).update(name=some(80), summary=_all())
    services.token_create(owner=owner, name=some(80))
    ids = {
        "agent_id": str(agent.pk),
        "block_id": blocks[0].pk,
        "revision_id": blocks[0].revisions.order_by("-number")[0].pk,
        "archive_id": archive.pk,
        "passage_id": Passage.objects.filter(archive__owner=owner).earliest("pk").pk,
        "document_id": Document.objects.filter(archive__owner=owner).earliest("pk").pk,
        "message_id": agent.messages.filter(kind=Kind.USER_MESSAGE).earliest("seq").pk,
        "run_id": run.pk,
        "checkpoint_id": checkpoint.pk,
    }
    enter = reverse("enter", args=[owner.pk, login_tokens.make_token(owner)])
    print(json.dumps({"enter": enter, "ids": ids, "last_seq": Agent.objects.get(pk=agent.pk).next_seq - 1}))


def _all() -> str:
    return "\n\n".join(texts)


def _runs(agent: Agent) -> tuple[Run, Step]:
    now = timezone.now()
    for text in texts[:20]:
        run = Run.objects.create(
            agent=agent, trigger=Run.Trigger.USER_MESSAGE, status=Run.Status.FAILED, error=text, started_at=now,
            finished_at=now, idempotency_key=hashlib.sha256(text.encode()).hexdigest(),
        )  # fmt: skip
    functions = [{"name": some(80), "description": some(200), "parameters": {"properties": {some(80): {}}}}]
    prefix = PromptPrefix.objects.create(
        agent=agent,
        sha256="0" * 64,
        system_instructions=_all(),
        core_memory=_all(),
        summary=_all(),
        functions=functions,
    )
    step = Step.objects.create(
        run=run, number=1, model=some(120), finish_reason=some(40), sections=[[some(80), 1]], queue_start=1,
        last_seq=40, prefix=prefix,
    )  # fmt: skip
    return run, step


def _blocks(agent: Agent, owner: User) -> list[Block]:
    for block in agent.blocks.all():
        block.limit = 50_000
        block.save()
        services.block_edit(block=block, value=_all(), from_revision=block.revision, editor=owner)
        block.refresh_from_db()
        services.block_edit(block=block, value="\n".join(reversed(texts)), from_revision=block.revision, editor=owner)
    for text in texts[:10]:
        settings = services.BlockSettings(label=f"b{texts.index(text)}", description=some(300))
        block = services.block_attach_new(agent=agent, settings=settings, value=text)
        Block.objects.filter(pk=block.pk).update(label=some(40), tags=[some(80)])
    return list(agent.blocks.order_by("pk"))


def _messages(agent: Agent, run: Run, step: Step) -> None:
    agent.refresh_from_db()
    rows = []
    for number, text in enumerate(texts):
        call = {"id": f"c{number}", "name": some(80), "arguments": json.dumps({some(40): text})}
        result = {"status": "OK", "message": text, "time": some(40)}
        earlier = [{"until": timezone.now().isoformat(), "content": text, "inner_monologue": text, "calls": []}]
        rows += [
            Message(kind=Kind.USER_MESSAGE, content=text, earlier=earlier),
            Message(kind=Kind.ASSISTANT, content=text, inner_monologue=text, calls=[call]),
            Message(kind=Kind.FUNCTION_RESULT, content=json.dumps(result), call_id=call["id"], function=call["name"]),
        ]
        if number % 5 == 0:
            kinds = (Kind.NOTICE, Kind.SYSTEM_ALERT, Kind.HEARTBEAT)
            rows += [Message(kind=kind, content=text, failed=True) for kind in kinds]
    for seq, message in enumerate(rows, start=agent.next_seq):
        message.agent, message.seq, message.run, message.step, message.created_at = (
            agent,
            seq,
            run,
            step,
            timezone.now(),
        )
        message.embedding = message.context_embedding = VECTOR
        message.embedding_model = get_embedder().name
        recall_storage.index_words(message)
    Message.objects.bulk_create(rows)
    agent.next_seq += len(rows)
    agent.queue_start = agent.next_seq - 60
    agent.summary = Summary.objects.create(agent=agent, text=_all(), covers_to=agent.queue_start, tokens=1)
    agent.save()
    Message.objects.create(agent=agent, kind=Kind.USER_MESSAGE, content=some(400), created_at=timezone.now())  # waits


def _archives(agent: Agent, owner: User) -> Archive:
    archive = Archive.objects.create(owner=owner, name=some(120), description=some(200))
    agent.attached_archives.add(archive)
    for number, text in enumerate(texts[:30]):
        fields: dict[str, Any] = {"sha256": f"{number:064}", "media_type": some(80), "size": 1}
        document = Document(archive=archive, name=some(255), status=Document.Status.FAILED, error=text, **fields)
        document.file.save("x.txt", ContentFile(b"x"), save=True)
    rows = [archival_storage.build(store, text, VECTOR) for text in texts for store in (archive, agent.archive)]
    for row in rows[::2]:
        row.document, row.page, row.place, row.tags = document, 1, some(200), [some(80)]
        row.position = rows.index(row)
    Passage.objects.bulk_create(rows)
    return archive


def _presets(owner: User) -> None:
    for kind in (Persona, Human):
        kind.objects.create(owner=owner, name=some(80), text=some(2000))

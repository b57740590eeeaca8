"""Everything that writes, called by pages, terminal, API and tasks alike. Reads are in `selectors`."""

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import agent_loop, bus, dispatch, ingest, queue_manager, tokens
from agents.events import AgentsChanged, RunChanged, WaitingChanged
from agents.exceptions import InvalidInput, LeaseLost, LLMError
from agents.external_context import archival_storage, recall_storage
from agents.functions import registry
from agents.functions.archival_memory import LONGEST_PASSAGE
from agents.lease import Lease, expiry
from agents.main_context import system_instructions, working_context
from agents.main_context.compile import compile
from agents.main_context.working_context import Editor
from agents.models import Agent, AgentBlock, Archive, Block, Document, Message, Passage, Run
from agents.models.block import DEFAULT_LIMIT
from agents.text import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_MESSAGE = 100_000  # characters, whatever the window
MESSAGE_SHARE = 0.8  # of the room that instructions, functions and core memory leave to the queue
AWAY_HOURS = 6  # after which a visit is noted in the queue

PERSONA_DESCRIPTION = "Who you are and how you speak."
HUMAN_DESCRIPTION = "What you know about the person you talk with."


# Agents


@dataclass(frozen=True, kw_only=True)
class AgentDraft:
    """What a new agent is made from; persona and human are the texts its blocks start with."""

    name: str
    persona: str
    human: str
    model: str = ""
    context_window: int | None = None


def agent_create(*, owner: "User", draft: AgentDraft) -> Agent:
    """Make an agent with its blocks and its own archive. Raises InvalidInput for a name already taken."""
    name = _checked_name(draft.name)
    now = timezone.now()
    with transaction.atomic():
        archive = Archive.objects.create(owner=owner, name=name)
        try:
            with transaction.atomic():
                agent = Agent.objects.create(
                    owner=owner,
                    name=name,
                    model=draft.model.strip(),
                    context_window=draft.context_window,
                    system_instructions=system_instructions.default(),
                    archive=archive,
                )
        except IntegrityError as error:
            raise _name_taken(name) from error
        block_attach_new(agent=agent, label="persona", value=draft.persona, description=PERSONA_DESCRIPTION)
        block_attach_new(agent=agent, label="human", value=draft.human, description=HUMAN_DESCRIPTION)
        login = Message(kind=Message.Kind.LOGIN, content="The person opened the conversation.", created_at=now)
        queue_manager.append(agent, login)
        _announce_agents(owner.pk)
    return agent


def agent_rename(*, agent: Agent, name: str) -> None:
    """Raises InvalidInput for an empty or a taken name."""
    agent.name = _checked_name(name)
    try:
        with transaction.atomic():
            agent.save(update_fields=["name"])
            Archive.objects.filter(pk=agent.archive_id).update(name=agent.name)
            _announce_agents(agent.owner_id)
    except IntegrityError as error:
        raise _name_taken(agent.name) from error


def agent_delete(*, agent: Agent) -> None:
    """Delete an agent with its messages, its archive and the blocks no other agent has."""
    with transaction.atomic():
        Run.objects.filter(agent=agent, status=Run.Status.RUNNING).update(lease_token=None)  # a worker loses its hold
        owner_id, archive, blocks = agent.owner_id, agent.archive, list(agent.blocks.all())
        agent.delete()
        archive.delete()
        for block in blocks:
            if not block.agents.exists():
                block.delete()
        _announce_agents(owner_id)


def agent_visit(*, agent: Agent) -> None:
    """Note in the queue that the person is back after hours away, so that the agent knows time has passed."""
    now = timezone.now()
    if (now - agent.last_active_at).total_seconds() < AWAY_HOURS * 3600:
        return
    queue_manager.append(
        agent, Message(kind=Message.Kind.LOGIN, content="The person opened the conversation.", created_at=now)
    )


def _checked_name(name: str) -> str:
    name = " ".join(typed(name).split())
    if not name:
        raise InvalidInput("Give the agent a name.")
    if len(name) > 80:
        raise InvalidInput("A name has at most 80 characters.")
    return name


def _name_taken(name: str) -> InvalidInput:
    return InvalidInput(f"You already have an agent called “{name}”. Choose another name.")


def _announce_agents(owner_id: int) -> None:
    bus.publish_on_commit(bus.owner_group(owner_id), AgentsChanged())


# Messages and runs


def message_send(*, agent: Agent, text: str, idempotency_key: str = "") -> Run:
    """Take a message and queue its run; the same key with the same text gives the same run. Raises InvalidInput."""
    text = typed(text).strip()
    _check_message(agent, text)
    key = idempotency_key[:64] or uuid.uuid4().hex
    try:
        with transaction.atomic():
            message = Message(agent=agent, kind=Message.Kind.USER_MESSAGE, content=text, created_at=timezone.now())
            recall_storage.index_words(message)
            message.save()
            return _queue_run(agent, Run.Trigger.USER_MESSAGE, event=message, key=key)
    except IntegrityError:
        run = Run.objects.select_related("event").get(agent=agent, idempotency_key=key)
        if run.event and run.event.content != text:  # edited since: another message
            return message_send(agent=agent, text=text)
        return run


def _check_message(agent: Agent, text: str) -> None:
    if not text:
        raise InvalidInput("The message is empty.")
    if len(text) > LONGEST_MESSAGE:
        raise InvalidInput(
            f"The message has {len(text):,} characters; at most {LONGEST_MESSAGE:,} can be sent at once."
        )
    flush_mark = queue_manager.marks(agent_loop.config_of(agent)).flush
    main = compile(agent, functions=registry.schemas(), budget=flush_mark)
    most = int((flush_mark - main.fixed_tokens) * MESSAGE_SHARE)
    if (spent := tokens.count(text)) > most:
        raise InvalidInput(
            f"The message has {spent:,} tokens; with this context window at most {most:,} fit. "
            "Shorten it, or upload it as a document."
        )


def heartbeat_send(*, agent: Agent, reason: str) -> Run:
    """Wake the agent without a message."""
    with transaction.atomic():
        message = Message.objects.create(
            agent=agent, kind=Message.Kind.HEARTBEAT, content=reason, created_at=timezone.now()
        )
        return _queue_run(agent, Run.Trigger.HEARTBEAT, event=message, key=uuid.uuid4().hex)


def _queue_run(agent: Agent, trigger: str, *, event: Message | None, key: str) -> Run:
    run = Run.objects.create(agent=agent, trigger=trigger, event=event, idempotency_key=key)
    group = bus.agent_group(agent.pk)
    bus.publish_on_commit(group, WaitingChanged())
    bus.publish_on_commit(group, RunChanged(run.pk, run.status))
    dispatch.run_agent(agent.pk)
    return run


def run_retry(*, run: Run) -> Run:
    """Try a failed or stopped run again. Its message is in the queue already; a second press makes no second run."""
    if run.status not in (Run.Status.FAILED, Run.Status.STOPPED):
        raise InvalidInput("Only a run that failed or was stopped can be tried again.")
    key = f"retry-{run.pk}"
    try:
        with transaction.atomic():
            return _queue_run(run.agent, Run.Trigger.RETRY, event=None, key=key)
    except IntegrityError:
        return Run.objects.get(agent_id=run.agent_id, idempotency_key=key)


def run_cancel(*, agent: Agent) -> None:
    """Stop the running run; the worker keeps what was said so far."""
    Run.objects.filter(agent=agent, status=Run.Status.RUNNING).update(cancel_requested_at=timezone.now())


def run_next(*, agent_id: uuid.UUID) -> bool:
    """Work on the agent's next queued or abandoned run, if no other worker is. True if there was one.

    Raises what our own faults raise; the run is then marked failed first.
    """
    run = _claim(agent_id)
    if run is None or run.lease_token is None:
        return False
    lease = Lease(run.pk, run.lease_token)
    try:
        for _ in agent_loop.run(run, lease=lease):
            dispatch.embed_messages(agent_id)
    except LeaseLost:
        return False
    except LLMError as error:
        _fail(run, lease, str(error))
    except Exception as error:  # our own fault: said to the person, then raised for the log
        _fail(run, lease, f"memweb itself failed: {type(error).__name__}. The log says more.")
        raise
    return True


def _claim(agent_id: uuid.UUID) -> Run | None:
    """Take the lease of the run to work on: an abandoned one first, else the oldest queued one."""
    now = timezone.now()
    with transaction.atomic():
        agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
        if agent is None:
            return None
        held = agent.runs.filter(status=Run.Status.RUNNING).first()
        # A row that is locked is being committed by its worker, which wants the agent's row next: never wait for it.
        abandoned = agent.runs.select_for_update(skip_locked=True, no_key=True).filter(lease_until__lte=now)
        if held and not abandoned.filter(pk=held.pk).exists():
            return None
        run = held or agent.runs.filter(status=Run.Status.QUEUED).order_by("id").first()
        if run is None:
            return None
        run.status, run.lease_token, run.lease_until = Run.Status.RUNNING, uuid.uuid4(), expiry()
        run.started_at = run.started_at or now
        run.save(update_fields=["status", "lease_token", "lease_until", "started_at"])
        if run.event and run.event.seq is None:
            run.event.run = run
            queue_manager.append(agent, run.event)
            bus.publish_on_commit(bus.agent_group(agent_id), WaitingChanged())
        bus.publish_on_commit(bus.agent_group(agent_id), RunChanged(run.pk, run.status))
    return run


def _fail(run: Run, lease: Lease, reason: str) -> None:
    with contextlib.suppress(LeaseLost), transaction.atomic():
        agent_loop.finish(lease.hold(), Run.Status.FAILED, error=reason)
        notice = Message(kind=Message.Kind.NOTICE, content=reason, failed=True, run=run, created_at=timezone.now())
        queue_manager.append(run.agent, notice)
    bus.draft_keep(run.agent_id, None)


# Core memory


def block_attach_new(*, agent: Agent, label: str, value: str, description: str = "") -> Block:
    """Make a block and attach it. Raises BlockOverLimit; InvalidInput for a label the agent has already."""
    value = typed(value).strip()
    with transaction.atomic():
        if agent.blocks.filter(label=label).exists():
            raise InvalidInput(f"{agent.name} already has a block “{label}”.")
        block = Block(owner_id=agent.owner_id, label=label, value=value, limit=DEFAULT_LIMIT, description=description)
        working_context.check_fits(block, value)
        block.save()
        working_context.record(block, Editor())
        AgentBlock.objects.create(agent=agent, block=block, position=agent.blocks.count())
        working_context.announce(block)
    return block


def block_edit(*, block: Block, value: str, from_revision: int, editor: "User") -> Block:
    """A person's edit, made from the revision they had before them. Raises BlockOverLimit, StaleEdit."""
    return working_context.write(block=block, value=value, from_revision=from_revision, editor=Editor(user=editor))


def block_record_import(*, block: Block) -> None:
    """Give a block that was made outside an agent its first revision."""
    working_context.record(block, Editor())


# The window


def queue_flush(*, agent: Agent) -> bool:
    """Evict the oldest part of the queue now; true if anything left."""
    config = agent_loop.config_of(agent)
    context = compile(agent, functions=registry.schemas(), budget=queue_manager.marks(config).flush)
    return queue_manager.flush(agent, context.messages)


# Archival storage


def passage_add(*, agent: Agent, text: str) -> Passage:
    """File a passage by hand. Raises InvalidInput."""
    text = text.strip()
    if not text:
        raise InvalidInput("There is nothing to file: the text is empty.")
    if len(text) > LONGEST_PASSAGE:
        raise InvalidInput(
            f"The text has {len(text):,} characters; file at most {LONGEST_PASSAGE:,}, or upload a document."
        )
    return archival_storage.insert(agent.archive, text)


def passage_delete(*, passage: Passage) -> None:
    with transaction.atomic():
        archive = passage.archive
        passage.delete()
        archival_storage.announce(archive)


def document_add(*, archive: Archive, file: "UploadedFile[bytes]") -> Document:
    """Take an upload and have it ingested. Raises InvalidInput: wrong kind, too large, empty, or there already."""
    media_type = ingest.check_upload(file)
    sha256 = ingest.sha256_of(file)
    name = (file.name or "document")[-255:]
    same = archive.documents.filter(sha256=sha256).first()
    if same and same.status != Document.Status.FAILED:
        raise InvalidInput(f"“{name}” is in this archive already, as “{same.name}”.")
    document = Document(archive=archive, name=name, sha256=sha256, media_type=media_type, size=file.size or 0)
    document.file.save(f"{sha256[:16]}{name[-4:].lower()}", file, save=False)
    try:
        with transaction.atomic():
            if same:
                same.delete()
            document.save()
            dispatch.ingest(document.pk)
            archival_storage.announce_document(document)
    except IntegrityError as error:  # two uploads of it at once
        document.file.delete(save=False)
        raise InvalidInput(f"“{name}” is in this archive already.") from error
    return document


def document_delete(*, document: Document) -> None:
    """Delete a document with its passages and its file."""
    with transaction.atomic():
        archival_storage.announce_document(document)
        document.delete()
        archival_storage.announce(document.archive)


def document_retry(*, document: Document) -> None:
    """Have a failed document ingested again; what it stored already is kept."""
    with transaction.atomic():
        Document.objects.filter(pk=document.pk).update(status=Document.Status.QUEUED, error="")
        dispatch.ingest(document.pk)
        archival_storage.announce_document(document)

"""What is wrong with the data itself: rows that break a rule of the engine, files and rows without each other.

Each rule is one look at the database or the disk that brings what breaks it, and a sentence that says what to do. It
changes nothing. A running memweb may be looked at: what is on its way is left out.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, QuerySet
from django.utils import timezone

from agents.external_context import recall_storage, words
from agents.llm import embeddings
from agents.models import Document, Message, Passage
from agents.schema import missing_migrations

ON_ITS_WAY = timedelta(minutes=10)  # younger than that it may be somebody's work of now


@dataclass(frozen=True)
class Rule:
    """`look` names each thing that breaks it; `remedy` says what to do then, in a sentence or two."""

    name: str
    look: Callable[[], Iterator[str]]
    remedy: str


def _rows(statement: str) -> Callable[[], Iterator[str]]:
    """The first column of the rows that `statement` finds."""

    def look() -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"long_ago": timezone.now() - ON_ITS_WAY})
            yield from (str(name) for name, *_rest in cursor)

    return look


def _migrations() -> Iterator[str]:
    yield from missing_migrations()


def _of_other_models() -> Iterator[str]:
    known = ["", embeddings.latest().name]
    yield from _counted(Passage.objects.exclude(embedding_model__in=known), "embedding_model", "%s: %d passages")
    yield from _counted(Message.objects.exclude(embedding_model__in=known), "embedding_model", "%s: %d messages")


def _not_embedded() -> Iterator[str]:
    long_ago = timezone.now() - ON_ITS_WAY
    passages = Passage.objects.filter(embedding_model="", retracted_at=None, created_at__lt=long_ago)
    yield from _counted(passages, "archive", "archive %s: %d passages")
    messages = recall_storage.everybodys_not_embedded().filter(created_at__lt=long_ago)
    yield from _counted(messages, "agent", "agent %s: %d messages")


def _in_an_older_form() -> Iterator[str]:
    yield from _counted(Passage.objects.filter(words.of_older_form()), "archive", "archive %s: %d passages")
    yield from _counted(Message.objects.filter(words.of_older_form()), "agent", "agent %s: %d messages")


def _counted(rows: "QuerySet[Any]", by: str, told: str) -> Iterator[str]:
    """A line for each value of the column `by`, which says how many rows have it."""
    for value, count in rows.order_by().values_list(by).annotate(Count("pk")):
        yield told % (value, count)


def _documents_without_file() -> Iterator[str]:
    for pk, name, file in Document.objects.exclude(file="").values_list("pk", "name", "file").iterator():
        if not Path(settings.MEDIA_ROOT, file).is_file():
            yield f"document {pk}, {name} ({file})"
    for pk, pictures in _pictures():
        for picture in pictures:
            if not Path(settings.MEDIA_ROOT, picture["file"]).is_file():
                yield f"message {pk}, a picture ({picture['file']})"


def _pictures() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    yield from Message.objects.exclude(pictures=[]).values_list("pk", "pictures").iterator()


def _files_without_document() -> Iterator[str]:
    root = Path(settings.MEDIA_ROOT)
    named = set(Document.objects.values_list("file", flat=True).iterator())
    named |= {picture["file"] for _pk, pictures in _pictures() for picture in pictures}
    young = (timezone.now() - ON_ITS_WAY).timestamp()
    for folder, _folders, files in os.walk(root / "documents"):
        for path in (Path(folder, file) for file in files):
            if str(path.relative_to(root)) not in named and path.stat().st_mtime < young:
                yield str(path)


RULES = (
    Rule("every migration is applied", _migrations, "Start memweb: it applies them, after a backup."),
    Rule(
        "every index is whole",
        _rows("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"),
        "Build it anew in psql: REINDEX INDEX CONCURRENTLY and its name. One that begins with vectors_ is built anew "
        "by memweb itself within ten minutes.",
    ),
    Rule(
        "texts are sorted as the database was made",
        _rows(
            "SELECT datname || ', made with ' || datcollversion FROM pg_database WHERE datname = current_database()"
            " AND datcollversion <> pg_database_collation_actual_version(oid)"
        ),
        "The system's rules of sorting have changed, so indexes of texts may miss rows. In psql: REINDEX DATABASE, "
        "then ALTER DATABASE ... REFRESH COLLATION VERSION.",
    ),
    Rule(
        "an agent counts past its last message",
        _rows(
            "SELECT 'agent ' || agent.name || ' (' || agent.id || ')' FROM agents_agent AS agent"
            " WHERE agent.queue_start > agent.next_seq OR EXISTS ("
            " SELECT FROM agents_message WHERE agent_id = agent.id AND seq >= agent.next_seq)"
        ),
        "Its next message cannot be stored. Export the agent, import it as a new one, and delete the old.",
    ),
    Rule(
        "an agent's messages are numbered without a gap",
        _rows(
            "SELECT 'agent ' || agent.name || ' (' || agent.id || '): ' || agent.next_seq - 1 - count(message.seq)"
            " || ' missing' FROM agents_agent AS agent LEFT JOIN agents_message AS message"
            " ON message.agent_id = agent.id AND message.seq < agent.next_seq"
            " GROUP BY agent.id HAVING count(message.seq) <> agent.next_seq - 1"
        ),
        "Somebody deleted messages in the database. The agent works on without them; a backup may have them.",
    ),
    Rule(
        "a call has one result",
        _rows("""
            WITH called AS (
                SELECT message.agent_id, message.step_id, call ->> 'id' AS id
                FROM agents_message AS message, jsonb_array_elements(message.calls) AS call
                WHERE message.kind = 'assistant' AND message.step_id IS NOT NULL
            ), answered AS (
                SELECT agent_id, step_id, call_id AS id, count(*) AS times FROM agents_message
                WHERE kind = 'function_result' AND call_id <> '' AND step_id IS NOT NULL
                GROUP BY agent_id, step_id, call_id
            )
            SELECT 'step ' || step_id || ', call ' || id || ': ' || coalesce(times, 0)
            FROM called FULL JOIN answered USING (agent_id, step_id, id)
            WHERE (times IS DISTINCT FROM 1 OR called.step_id IS NULL) AND NOT EXISTS (
                SELECT FROM agents_step AS step JOIN agents_run AS run ON run.id = step.run_id
                WHERE step.id = step_id AND run.status IN ('queued', 'running', 'waiting')
            )
        """),
        "Some model servers refuse such a history. Take the turn back in the page, or edit its message.",
    ),
    Rule(
        "a run that works has a lease, and no other has one",
        _rows(
            "SELECT 'run ' || id || ', ' || status FROM agents_run"
            " WHERE (status = 'running') <> (lease_token IS NOT NULL)"
        ),
        "Press Stop in the page. If the run stays, restart the worker of runs.",
    ),
    Rule(
        "no run waits for ever",
        _rows(
            "SELECT 'run ' || run.id || ' of agent ' || run.agent_id FROM agents_run AS run"
            " WHERE run.status = 'queued' AND run.created_at < %(long_ago)s AND NOT EXISTS ("
            " SELECT FROM agents_run WHERE agent_id = run.agent_id AND status IN ('running', 'waiting'))"
        ),
        "See `memweb status`: beat or the worker of runs is away, or the person may not run more at once.",
    ),
    Rule(
        "a block says what its last revision says",
        _rows(
            "SELECT 'block ' || block.id || ', ' || block.label FROM agents_block AS block WHERE NOT EXISTS ("
            " SELECT FROM agents_blockrevision AS revision WHERE revision.block_id = block.id"
            " AND revision.number = block.revision AND revision.value = block.value)"
        ),
        "Somebody wrote it in the database. Open the block in the page and save it: that makes a revision of it.",
    ),
    Rule(
        "a document and a picture have their files",
        _documents_without_file,
        "A document's passages are still found. Put the file back from a backup, or delete the document and upload it "
        "again.",
    ),
    Rule(
        "a file has its document or message",
        _files_without_document,
        "Nothing uses it. Look whether somebody put it there by hand, then delete it.",
    ),
    Rule(
        "a document is read to its end",
        _rows(
            "SELECT 'document ' || document.id || ', ' || document.name || ': ' || count(passage.id) || ' of '"
            " || document.total FROM agents_document AS document LEFT JOIN agents_passage AS passage"
            " ON passage.document_id = document.id WHERE document.status = 'ready' GROUP BY document.id"
            " HAVING count(passage.id) < document.total AND document.worked_at < %(long_ago)s"
        ),
        "If nobody deleted passages of it, delete the document and upload it again.",
    ),
    Rule(
        "what is stored has its vector",
        _not_embedded,
        "Until then it is found by its words alone. memweb asks for it every minute; see `memweb status` and the log "
        "of worker-background for what stands in the way.",
    ),
    Rule(
        "vectors are of the configured model",
        _of_other_models,
        "They are not searched. `memweb manage reembed` makes them anew.",
    ),
    Rule(
        "texts are indexed in today's form",
        _in_an_older_form,
        "Nothing: they are found all the same, and memweb indexes them anew while it runs.",
    ),
)

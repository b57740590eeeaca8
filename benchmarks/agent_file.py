"""An agent whose file has 200 MB: how fast it is written and read, copied, and in how much memory.

    python benchmarks/agent_file.py [--megabytes 200] [--documents 20]

Makes an agent by SQL: messages of some 1,400 characters for nine tenths of it, passages, a block of which 500 texts are
known, and documents of 1 MB each. Then, each in a process of its own whose most memory is told, on a PostgreSQL of its
own: it is exported as JSON and with its documents, both files are imported, and it is copied.
"""

import argparse
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.database import database
from tests.agents.exports import sentences

MB = 1_000_000
MESSAGE, PASSAGE = 1400, 700  # characters, some

MESSAGES = """
    INSERT INTO agents_message (agent_id, seq, kind, content, inner_monologue, calls, call_id, function, failed,
        stopped, tokens, created_at, earlier, embedding_model)
    SELECT %s, n, CASE n %% 2 WHEN 0 THEN 'assistant' ELSE 'user_message' END,
        substr(%s, n * 977 %% 400000, 1000 + n %% 800), '', '[]', '', '',
        false, false, 300, now() - n * interval '1 second', '[]', ''
    FROM generate_series(2, %s) n
"""
PASSAGES = """
    INSERT INTO agents_passage (archive_id, place, position, text, tokens, created_at, embedding_model)
    SELECT %s, '', 0, substr(%s, n * 983 %% 400000, 500 + n %% 400), 150, now(), '' FROM generate_series(1, %s) n
"""
REVISIONS = """
    INSERT INTO agents_blockrevision (block_id, number, value, editor, created_at)
    SELECT %s, n, left(%s, n %% 2000), 'user', now() FROM generate_series(2, 500) n
"""


def _agent(name: str) -> Any:
    from agents.models import Agent

    return Agent.objects.get(name=name)


def make(megabytes: int, documents: int) -> None:
    from django.contrib.auth.models import User
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.db import connection

    from agents import services
    from agents.models import Block

    owner = User.objects.create_user("Ann")
    agent = services.agent_create(owner=owner, draft=services.AgentDraft(name="Sam"))
    text, count = sentences("long", 9000), megabytes * MB * 9 // 10 // (MESSAGE + 230)
    block = Block.objects.get(agents=agent, label="human")
    with connection.cursor() as cursor:
        cursor.execute(MESSAGES, [agent.pk, text, count])
        cursor.execute(PASSAGES, [agent.archive_id, text, megabytes * MB // 10 // (PASSAGE + 80)])
        cursor.execute(REVISIONS, [block.pk, text[:2000]])
        cursor.execute("ANALYZE agents_message, agents_passage")
    agent.next_seq, agent.queue_start = count + 1, count - 20
    agent.save()
    Block.objects.filter(pk=block.pk).update(revision=500, value=text[:500])
    for number in range(documents):
        content = sentences(f"document {number}", 30_000).encode()[:MB]
        services.document_add(archive=agent.archive, file=SimpleUploadedFile(f"log {number}.txt", content))


def export(path: Path, documents: bool) -> int:
    from agents import services

    written = services.agent_write(agent=_agent("Sam"), documents=documents)
    with path.open("wb") as file:
        shutil.copyfileobj(written.file, file)
    written.close()
    return path.stat().st_size


def bring(path: Path, name: str) -> int:
    from django.contrib.auth.models import User

    from agents import services

    with path.open("rb") as file:
        services.agent_import(owner=User.objects.get(), raw=file, name=name)
    return path.stat().st_size


def copy(path: Path) -> int:
    from agents import services

    services.agent_copy(agent=_agent("Sam"), name="Copy")
    return path.stat().st_size


def measured(work: Callable[..., Any], media: Path, *given: Any) -> tuple[Any, float, float, float]:
    """What it gave, seconds, and MB at the beginning and at most, in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (work, media, *given))


def _measure(work: Callable[..., Any], media: Path, *given: Any) -> tuple[Any, float, float, float]:
    import logging

    import django

    django.setup()
    logging.disable(logging.WARNING)
    from django.conf import settings

    settings.MEDIA_ROOT = media
    mock.patch("agents.dispatch._enqueue").start()  # there is no broker
    from agents import services

    assert services
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    done = work(*given)
    seconds = time.perf_counter() - began
    return done, seconds, before * 1024 / MB, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--documents", type=int, default=20)
    given = parser.parse_args()
    with database(), TemporaryDirectory(prefix="memweb-benchmark-") as temporary:
        os.environ["MEMWEB_MAX_AGENT_FILE_MB"] = "4096"
        media, plain, packed = (Path(temporary) / name for name in ("media", "sam.json", "sam.zip"))
        measured(make, media, given.megabytes, given.documents)
        print(f"{'':24}{'MB':>8}{'s':>9}{'MB of JSON/s':>14}{'MB before':>12}{'at most':>10}")
        for name, work, *arguments in (
            ("export", export, plain, False),
            ("export with documents", export, packed, True),
            ("import", bring, plain, "Sam II"),
            ("import with documents", bring, packed, "Sam III"),
            ("copy", copy, plain),
        ):
            size, seconds, before, most = measured(work, media, *arguments)
            rate = plain.stat().st_size / MB / seconds
            figures = f"{size / MB:8.0f}{seconds:9.1f}{rate:14.1f}{before:12.0f}{most:10.0f}"
            print(f"{name:24}{figures}", flush=True)


if __name__ == "__main__":
    main()

"""A backup and its restore: how long, how fast, and how much memory at most.

    python benchmarks/backup.py [--passages 100000] [--documents 300]    # documents of 1 MB each
    python benchmarks/backup.py --chat [--passages 300000] [--documents 200]

A PostgreSQL of its own, a memweb in it with that many passages (a text of some 400 characters and a vector of 384
numbers) and documents. `memweb backup` and `memweb restore` run as a person runs them; memory is the most that one of
their processes held (the server not counted). Run it on an idle machine with some gigabytes of disk.

`--chat` asks how much longer a message takes while a backup is made: the whole product runs on that data, with a model
that answers at once, and messages are sent one after the other, by turns with and without a backup beside them.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg
from psycopg.conninfo import make_conninfo

from agents.llm.scripted import ScriptedServer, say
from benchmarks.database import database
from benchmarks.product import Product, running
from memweb.client import create_client

MB = 1_000_000
MESSAGES = 60  # beside backups, at least
TOGETHER = 20
FILL = """
INSERT INTO agents_passage
    (archive_id, place, position, text, tokens, created_at, embedding, embedding_model, words, words_form)
SELECT (%(archives)s::bigint[])[1 + n %% %(number)s], '', n, repeat(md5(n::text) || ' ', 12), 100, now(), v.v,
    %(model)s, to_tsvector('simple', md5(n::text)), 1
FROM generate_series(1, %(passages)s) AS n, LATERAL (
    SELECT array_agg(sin(n * i))::real[]::vector(384)::halfvec(384) AS v FROM generate_series(1, 384) AS i
) AS v
"""


def fill(passages: int, documents: int) -> None:
    """So that nothing is left to do in the background: all is embedded, no archive is large enough for an index."""
    import hashlib

    from django.contrib.auth.models import User
    from django.core.files.base import ContentFile
    from django.db import connection

    from agents.external_context import vector_index
    from agents.llm.embeddings import get_embedder
    from agents.models import Archive, Document

    owner = User.objects.create(username="Ann")
    number = 1 + passages // (vector_index.LARGE - 1)
    archives = [Archive.objects.create(owner=owner, name=f"papers {each}") for each in range(number)]
    with connection.cursor() as cursor:
        ids = [archive.pk for archive in archives]
        model = get_embedder().name
        cursor.execute(FILL, {"archives": ids, "number": number, "model": model, "passages": passages})
        cursor.execute("ANALYZE agents_passage")
    for number in range(documents):
        content = os.urandom(MB)
        digest = hashlib.sha256(content).hexdigest()
        document = Document(archive=archives[0], name=f"{number}.bin", sha256=digest, size=MB, status="ready")
        document.file.save(f"{number}.bin", ContentFile(content))


def timed(what: str, *arguments: str, **settings: str) -> tuple[str, float]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "memweb", *arguments]
    process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    assert process.returncode == 0, f"{what} failed"
    work = usage.ru_utime + usage.ru_stime
    print(f"{what:<16}{seconds:6.1f} s ({work:.1f} s of CPU without the server)", end=", ")
    print(f"at most {usage.ru_maxrss / 1024:,.0f} MB of memory")
    return said.strip(), seconds


def measure(passages: int, documents: int) -> None:
    """Print what a backup, the next one and a restore take."""
    with TemporaryDirectory(prefix="memweb-benchmark-") as folder, database() as server:
        fill(passages, documents)
        backup, seconds = timed("backup", "backup", "--to", folder)
        size = sum(path.stat().st_size for path in Path(backup).rglob("*")) / MB
        print(f"    {size:,.0f} MB, {size / seconds:,.0f} MB a second, read back included")
        timed("the next backup", "backup", "--to", folder)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE again")
        url = make_conninfo(server.url, dbname="again")
        _, seconds = timed("restore", "restore", backup, MEMWEB_HOME=f"{folder}/home", DATABASE_URL=url)
        print(f"    {size / seconds:,.0f} MB a second, checked before, indexes and migrations included")


def measure_chat(passages: int, documents: int) -> None:
    """Print what a message takes without a backup, and beside one."""
    with ScriptedServer([say("The gulls are loud today.")]) as model, TemporaryDirectory() as folder:
        settings = {"MEMWEB_EMBEDDINGS": "hash", "MEMWEB_BACKUP_KEEP": "0", "OPENAI_BASE_URL": model.url}
        with running(settings | {"MEMWEB_API_REQUESTS_PER_MINUTE": "1000000"}) as product:
            fill(passages, documents)
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                (size,) = connection.execute("SELECT pg_database_size('memweb')").fetchone() or (0,)
            print(f"{size / MB:,.0f} MB of database, {documents:,} MB of documents")
            alone, beside = _messages(product, folder)
    print(f"{'a message':<20}{'number':>8}{'median':>10}{'p95':>10}")
    figures = []
    for what, times in (("without a backup", alone), ("beside a backup", beside)):
        figures.append((statistics.median(times), statistics.quantiles(times, n=20)[-1]))
        print(f"{what:<20}{len(times):>8}" + "".join(f"{1000 * seconds:>7,.0f} ms" for seconds in figures[-1]))
    ratios = [slow / quick for quick, slow in zip(*figures, strict=True)]
    print(f"{'ratio':<28}" + "".join(f"{ratio:>10.2f}" for ratio in ratios))


def _messages(product: Product, folder: str) -> tuple[list[float], list[float]]:
    """Seconds of each, alone and beside a backup, by turns."""
    from django.contrib.auth.models import User

    from agents import services

    owner = User.objects.get(username="Ann")
    draft = services.AgentDraft(name="Sam", persona="I keep the lamp.", human="Name: Ada.")
    agent = f"agent-{services.agent_create(owner=owner, draft=draft).pk}"
    token = services.token_create(owner=owner, name="a program")[1]
    alone: list[float] = []
    beside: list[float] = []
    with create_client(f"http://127.0.0.1:{product.port}", token) as client:

        def say_something() -> float:
            began = time.perf_counter()
            client.user_message(agent_id=agent, message="How is the harbour today?")
            return time.perf_counter() - began

        for _first in range(TOGETHER):
            say_something()
        while len(beside) < MESSAGES:
            alone += [say_something() for _ in range(TOGETHER)]
            into = f"{folder}/{len(alone)}"  # each copies all documents
            backup = subprocess.Popen(
                [sys.executable, "-m", "memweb", "backup", "--to", into], stdout=subprocess.DEVNULL
            )
            while backup.poll() is None:
                beside.append(say_something())
            assert backup.returncode == 0, "the backup failed"
            alone += [say_something() for _ in range(TOGETHER)]
            shutil.rmtree(into)
    return alone, beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--chat", action="store_true", help="what a message takes while a backup is made")
    options = vars(parser.parse_args())
    (measure_chat if options.pop("chat") else measure)(**options)


if __name__ == "__main__":
    main()

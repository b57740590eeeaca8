"""A backup and its restore: how long, how fast, and how much memory at most.

    python benchmarks/backup.py [--passages 100000] [--documents 300]    # documents of 1 MB each

A PostgreSQL of its own, a memweb in it with that many passages (a text of some 400 characters and a vector of 384
numbers) and documents. `memweb backup` and `memweb restore` run as a person runs them; memory is the most that one of
their processes held (the server not counted). Run it on an idle machine with some gigabytes of disk.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.database import database

MB = 1_000_000
FILL = """
INSERT INTO agents_passage
    (archive_id, place, position, text, tokens, created_at, embedding, embedding_model, words, words_form)
SELECT %s, '', n, repeat(md5(n::text) || ' ', 12), 100, now(), v.v, '', to_tsvector('simple', md5(n::text)), 1
FROM generate_series(1, %s) AS n, LATERAL (
    SELECT array_agg(sin(n * i))::real[]::vector(384)::halfvec(384) AS v FROM generate_series(1, 384) AS i
) AS v
"""


def fill(passages: int, documents: int) -> None:
    import hashlib

    from django.contrib.auth.models import User
    from django.core.files.base import ContentFile
    from django.db import connection

    from agents.models import Archive, Document

    archive = Archive.objects.create(owner=User.objects.create(username="Ann"), name="papers")
    with connection.cursor() as cursor:
        cursor.execute(FILL, [archive.pk, passages])
    for number in range(documents):
        content = os.urandom(MB)
        digest = hashlib.sha256(content).hexdigest()
        document = Document(archive=archive, name=f"{number}.bin", sha256=digest, size=MB)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=300)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="memweb-benchmark-") as folder, database() as server:
        fill(options.passages, options.documents)
        backup, seconds = timed("backup", "backup", "--to", folder)
        size = sum(path.stat().st_size for path in Path(backup).rglob("*")) / MB
        print(f"    {size:,.0f} MB, {size / seconds:,.0f} MB a second, read back included")
        timed("the next backup", "backup", "--to", folder)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE again")
        url = make_conninfo(server.url, dbname="again")
        _, seconds = timed("restore", "restore", backup, MEMWEB_HOME=f"{folder}/home", DATABASE_URL=url)
        print(f"    {size / seconds:,.0f} MB a second, checked before, indexes and migrations included")


if __name__ == "__main__":
    main()

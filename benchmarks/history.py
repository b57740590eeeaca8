"""An export of another service's chats, of 200 MB: how fast it is split, unpacked and read, and in how much memory.

    python benchmarks/history.py [--megabytes 200] [--read 300]

Makes an export in the shape that ChatGPT writes (conversations of 40 messages), whole and as the ZIP it is downloaded
as. Then, each in a process of its own, whose most memory is told: the export is split, as `memweb load` does before it
sends it; all parts are unpacked into documents, as a worker does (a PostgreSQL of its own; the process that reads is
counted as well); and so many of the conversations are read and embedded, on which the time of the whole mostly depends.
"""

import argparse
import json
import os
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.database import database
from memweb import history
from tests.agents.exports import chatgpt_talk, sentences

MESSAGES = 40
MB = 1_000_000

Told = dict[str, float]


def write(path: Path, size: int) -> int:
    """An export of that many bytes; tells how many conversations it has."""
    number = written = 0
    with path.open("w") as file:
        while written < size:
            turns = [
                ("user" if n % 2 == 0 else "assistant", sentences(f"{number}.{n}", 2 + n % 7)) for n in range(MESSAGES)
            ]
            text = json.dumps(chatgpt_talk(f"Talk {number}", *turns))
            file.write(("," if number else "[") + text)
            written += len(text)
            number += 1
        file.write("]")
    return number


def split(path: Path, folder: Path) -> Told:
    parts, count = history.split(path, folder)
    return {"parts": len(parts), "conversations": count}


def unpack(folder: Path, media: Path) -> Told:
    """All parts, one after the other."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.files.uploadedfile import SimpleUploadedFile

    from agents import services
    from agents.ingest import working
    from agents.models import Document

    settings.MEDIA_ROOT = media
    owner, _new = User.objects.get_or_create(username="Ann")
    archive = owner.archives.first() or services.archive_create(owner=owner, name="history")
    mock.patch("agents.dispatch.ingest").start()  # there is no broker
    for part in sorted(folder.iterdir()):
        export = services.document_add(archive=archive, file=SimpleUploadedFile(part.name, part.read_bytes()))
        working.work(export)
    failed = Document.objects.filter(status=Document.Status.FAILED).values_list("error", flat=True)
    return {"conversations": archive.documents.exclude(conversation="").count(), "failed": len(failed)}


def read(media: Path, count: int) -> Told:
    """So many of the conversations, as a worker reads them."""
    import django

    django.setup()
    from django.conf import settings

    from agents.ingest import turns, working
    from agents.models import Document, Passage

    settings.MEDIA_ROOT = media
    taking = 0.0
    done: list[Document] = []
    while len(done) < count:
        began = time.perf_counter()
        document = turns.take()
        taking += time.perf_counter() - began
        if document is None:
            break
        working.work(document)
        done.append(document)
    passages = Passage.objects.count()
    return {"conversations": len(done), "passages": passages, "milliseconds to take one": 1000 * taking / len(done)}


def measured(what: Callable[..., Told], *arguments: Any) -> Told:
    """In a process of its own: what it tells, the seconds it took, and the most memory of it and of its children."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (what, arguments))


def _measure(what: Callable[..., Told], arguments: tuple[Any, ...]) -> Told:
    began = time.perf_counter()
    told = what(*arguments)
    told["seconds"] = time.perf_counter() - began
    if "agents.ingest.reader_process" in sys.modules:
        sys.modules["agents.ingest.reader_process"]._readers.close()  # only what has ended is counted
    told["MB at most"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    told["MB at most in what reads"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MB
    return told


def show(name: str, told: Told, size: int | None = None) -> None:
    rate = f"{size / MB / told['seconds']:.1f} MB/s, " if size else ""
    print(f"{name}: {rate}" + ", ".join(f"{value:,.0f} {unit}" for unit, value in told.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--read", type=int, default=300)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "memweb.settings"
    with TemporaryDirectory() as made, database():
        folder = Path(made)
        export, packed, parts, media = (folder / name for name in ("conversations.json", "chats.zip", "parts", "media"))
        count = write(export, options.megabytes * MB)
        size = export.stat().st_size
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(export, "conversations.json")
        small = packed.stat().st_size
        print(f"{count:,} conversations of {MESSAGES} messages, {size / MB:.0f} MB, {small / MB:.0f} MB packed")
        for path in (export, packed):
            into = folder / f"{path.name} parts" if path is export else parts
            into.mkdir()
            show(f"split {path.name}", measured(split, path, into), size)
        show("unpack", measured(unpack, parts, media), size)
        show("unpack again", measured(unpack, parts, media), size)
        show("read", measured(read, media, options.read))


if __name__ == "__main__":
    main()

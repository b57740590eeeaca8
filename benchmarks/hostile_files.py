"""Files that want much, each beside the document of somebody else: how long that one waits, and how the file ends.

    python -m benchmarks.hostile_files [--only NAME] [--patience 900]

One person uploads the files of `tests/agents/hostile.py` one after the other and does not wait; another uploads a small
document right after each. Ends with 1 if a document of theirs took more than 30 s, or a file never ended.
"""

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.product import running
from tests.agents import hostile

MOST = 30.0  # seconds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="files whose name holds this")
    parser.add_argument("--patience", type=float, default=900, help="seconds for the files themselves to end")
    asked = parser.parse_args()
    chosen = [(name, make) for name, make in hostile.FILES if asked.only in name]
    with running({"MEMWEB_EMBEDDINGS": "hash", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}):
        waited, refused, open_files = _measure(chosen, asked.patience)
    print(f"\nlongest wait beside one: {max(waited, default=0):.1f} s; refused at once: {refused}")
    print(f"never ended: {', '.join(open_files) or 'none'}")
    return 1 if max(waited, default=0) > MOST or open_files else 0


def _measure(chosen: list[tuple[str, Callable[[], bytes]]], patience: float) -> tuple[list[float], int, list[str]]:
    from django.contrib.auth.models import User
    from django.core.files.uploadedfile import SimpleUploadedFile

    from agents import services
    from agents.exceptions import InvalidInput
    from agents.models import Document

    archives = [
        services.archive_create(owner=User.objects.create_user(name), name=name) for name in ("hostile", "other")
    ]
    waited, refused, began = [], 0, time.monotonic()
    for number, (name, make) in enumerate(chosen):
        try:
            services.document_add(archive=archives[0], file=SimpleUploadedFile(name, make()))
        except InvalidInput as error:
            refused += 1
            print(f"{name:28} refused: {str(error)[:80]}", flush=True)
            continue
        small = SimpleUploadedFile(f"small{number}.txt", f"The lamp of quay {number} burns.".encode())
        sent = time.monotonic()
        document = services.document_add(archive=archives[1], file=small)
        while document.status not in (Document.Status.READY, Document.Status.FAILED):
            time.sleep(0.1)
            document.refresh_from_db()
        waited.append(time.monotonic() - sent)
        print(f"{name:28} the other's document was {document.status} after {waited[-1]:.1f} s", flush=True)
    ended = (Document.Status.READY, Document.Status.FAILED)
    theirs = archives[0].documents.order_by("pk")
    while theirs.exclude(status__in=ended).exists() and time.monotonic() - began < patience:
        time.sleep(1)
    print(f"\n{'file':28} ended as")
    for document in theirs:
        print(f"{document.name:28} {document.status} {document.error[:110]}")
    return waited, refused, [document.name for document in theirs.exclude(status__in=ended)]


if __name__ == "__main__":
    sys.exit(main())

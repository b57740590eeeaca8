"""Archival search as the store grows: passages of three agents that own 0.1 %, 10 % and 90 % of it.

    python benchmarks/archival_scale.py [--sizes 10000 100000 1000000] [--queries 200] [--home FOLDER] [--json OUT]

The texts are real English: paragraphs of the documentation inside the installed Python packages, three to a passage. A
passage's vector is made of its paragraphs' real embeddings and some noise, so passages lie in clusters as they do in
life. The rows of the three agents are interleaved. Queries are sentences of other paragraphs; each is asked of each
agent through `archival_storage.find`. Times are of the whole, embedding of the query included, and of the search alone.
`recall@10` compares the ten nearest of the product's vector arm with the ten nearest of an exact scan. Rows are written
by SQL, because embedding a million passages would take a day; the insert rate is that of the product's own
`insert_pieces`, without the embedding, with all indexes standing. Half an hour to the million, most of it for building
the vector index in one process. `--home` keeps the database.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tqdm import tqdm

from benchmarks.archival_rows import agents, fill, ready, recall_at_10
from benchmarks.database import database

if TYPE_CHECKING:
    from agents.llm.embeddings import Vector
    from agents.models import Agent, Document

WARM_UP = 20  # queries, or passages to embed
INSERTED, INGESTED = 512, 300  # passages, paragraphs


@dataclass(frozen=True)
class Measured:
    """Of one agent in a table of `rows` passages. Times in ms; `search` leaves the embedding of the query out (p50)."""

    rows: int
    share: str
    passages: int
    p50: float
    p95: float
    search: float
    recall: float


@dataclass(frozen=True)
class Store:
    """The table as a whole. `memory` is what the server's processes hold after the queries; `inserts` are a second."""

    rows: int
    table: float
    words_index: float
    vector_index: float
    memory: float
    inserts: float


def measure(rows: int, agent: "Agent", queries: "dict[str, Vector]", exact: int) -> Measured:
    from agents.external_context import archival_storage

    for query in list(queries)[:WARM_UP]:
        archival_storage.find(agent, query)
    whole, search = [], []
    for query in tqdm(queries, desc=f"{rows:,} rows, {agent.name}"):
        with embedding_time() as embedding:
            started = time.perf_counter()
            archival_storage.find(agent, query)
            whole.append(1000 * (time.perf_counter() - started))
        search.append(whole[-1] - sum(embedding))
    recall = statistics.fmean(_recall(agent, query, queries[query]) for query in list(queries)[:exact])
    passages = archival_storage.passages_of(agent).count()
    p50, p95 = statistics.median(whole), statistics.quantiles(whole, n=20)[-1]
    return Measured(rows, agent.name, passages, p50, p95, statistics.median(search), recall)


@contextmanager
def embedding_time() -> Iterator[list[float]]:
    """How long each embedding of a query takes, in ms."""
    from agents.llm.embeddings import get_embedder

    embedder, took = get_embedder(), []
    embed = embedder.embed_query

    def timed_embed(text: str) -> "Vector":
        started = time.perf_counter()
        vector = embed(text)
        took.append(1000 * (time.perf_counter() - started))
        return vector

    with mock.patch.object(embedder, "embed_query", timed_embed):
        yield took


def _recall(agent: "Agent", query: str, vector: "Vector") -> float:
    from agents.external_context import archival_storage

    return recall_at_10(archival_storage.passages_of(agent), archival_storage.archives_of(agent), query, vector)


def inserts(owner: "Agent") -> float:
    """Passages a second through the product's own door, without the embedding."""
    from django.db import connection

    from agents.external_context import archival_storage
    from agents.ingest.working import BATCH
    from agents.llm.embeddings import get_embedder

    with connection.cursor() as cursor:
        cursor.execute("SELECT text, v::real[] FROM bench_paragraph ORDER BY random() LIMIT %s", [INSERTED])
        ready = dict(cursor.fetchall())
    pieces = [archival_storage.Piece(position, None, "", text) for position, text in enumerate(ready)]
    with document(owner, "") as made:
        embedded = mock.patch.object(get_embedder(), "embed_passages", lambda texts: [ready[text] for text in texts])
        started = time.perf_counter()
        with embedded:
            for start in range(0, len(pieces), BATCH):
                archival_storage.insert_pieces(made, pieces[start : start + BATCH])
        return len(pieces) / (time.perf_counter() - started)


def ingested(owner: "Agent", text: str) -> tuple[float, float]:
    """Passages a second: of the embedding model by itself, and of `text` on its whole way through a worker."""
    from agents.ingest import working
    from agents.llm.embeddings import get_embedder

    with document(owner, text) as made:
        pieces = [piece.text for piece in working.cut(made)]
        get_embedder().embed_passages(pieces[:WARM_UP])
        started = time.perf_counter()
        get_embedder().embed_passages(pieces)
        embedding = time.perf_counter() - started
        started = time.perf_counter()
        working.work(made)
        whole = time.perf_counter() - started
        assert made.passages.count() == len(pieces)
    return len(pieces) / embedding, len(pieces) / whole


@contextmanager
def document(owner: "Agent", text: str) -> "Iterator[Document]":
    """For a while."""
    from django.core.files.base import ContentFile

    from agents.models import Document

    file = ContentFile(text.encode(), "bench.txt")
    made = Document.objects.create(
        archive=owner.archive, name="bench", file=file, sha256="bench", media_type="text/plain", size=len(text)
    )
    try:
        yield made
    finally:
        made.passages.all().delete()
        made.delete()


def store(rows: int, owner: "Agent") -> Store:
    from django.db import connection

    from agents.external_context import vector_index

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('agents_passage') / 1e6, pg_relation_size('passage_words') / 1e6,"
            " (SELECT coalesce(sum(pg_relation_size(oid)), 0) / 1e6 FROM pg_class WHERE relname LIKE %s),"
            " pg_backend_pid()",
            [f"{vector_index.NAME_PREFIX}%"],
        )
        table, words, vectors, backend = cursor.fetchone()
    memory = memory_of_server(backend)
    return Store(rows, float(table), float(words), float(vectors), memory, inserts(owner))


def memory_of_server(backend: int) -> float:
    """MB of all its processes, with what several of them share counted once. 0 where there is no /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    server = parents.get(backend)
    pids = [pid for pid, parent in parents.items() if server in (pid, parent)]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(size) for rollup in rollups for size in re.findall(r"^Pss: +(\d+)", rollup, re.MULTILINE)) / 1000


def show(measured: list[Measured], stores: list[Store]) -> None:
    print(f"{'':>18}{'passages':>10}{'p50 ms':>9}{'':>9}{'p95 ms':>9}{'search p50':>12}{'':>9}{'recall@10':>11}")
    for row in measured:
        first = next(one for one in measured if one.share == row.share)
        print(
            f"{row.rows:10,}{row.share:>8}{row.passages:10,}{row.p50:9.1f}{row.p50 / first.p50:8.2f}x{row.p95:9.1f}"
            f"{row.search:12.1f}{row.search / first.search:8.2f}x{row.recall:11.3f}"
        )
    print()
    print(f"{'':>10}{'table MB':>10}{'words index MB':>16}{'vector index MB':>17}{'server MB':>11}{'inserts/s':>11}")
    for one in stores:
        print(
            f"{one.rows:10,}{one.table:10,.0f}{one.words_index:16,.0f}{one.vector_index:17,.0f}"
            f"{one.memory:11,.0f}{one.inserts:11,.0f}"
        )


def run(options: argparse.Namespace) -> dict[str, Any]:
    texts, queries = ready(options.queries)
    owners = agents()
    measured, stores = [], []
    for rows in sorted(options.sizes):
        fill(owners, rows)
        measured += [measure(rows, owner, queries, options.exact) for owner in owners.values()]
        stores.append(store(rows, owners["90 %"]))
    show(measured, stores)
    model, whole = ingested(owners["90 %"], "\n\n".join(texts[-INGESTED:]))
    print(f"\nIngestion: {whole:.1f} passages/s, the embedding model alone {model:.1f}: {100 * whole / model:.0f} %")
    return {
        "queries": [asdict(row) for row in measured],
        "stores": [asdict(one) for one in stores],
        "ingestion": {"passages_per_second": whole, "embedding_alone": model},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--exact", type=int, default=50, help="how many of them are compared with an exact scan")
    parser.add_argument("--home", type=Path, help="keep the database in this folder")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    with database(options.home):
        figures = run(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

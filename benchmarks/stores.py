"""Archival search where many people have large stores: with an index of its own for each store, and row by row.

    python benchmarks/stores.py [--stores 2000] [--smallest 5000] [--largest 50000] [--home FOLDER] [--json OUT]

First with one passage a store: what the mere number of vector indexes costs a search and an insert that concern none of
them. Then with all rows (about 14 million by default, 30 GB, half an hour): archives of `smallest` to `largest`
passages, many small and few large ones, written by SQL in documents of 250 passages in turn, as people upload them.
Some stores of each size are searched row by row, and again with an index of their own. Times are of
`archival_storage.search_in` without the embedding of the query; `first` is a store's first search, which finds little
of it in memory. `recall@10` compares the ten nearest by vector with those of an exact scan. `--home` keeps the rows.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tqdm import tqdm

from benchmarks.archival_rows import PARAGRAPHS, RESTS, ready, recall_at_10, timed
from benchmarks.database import database

if TYPE_CHECKING:
    from agents.llm.embeddings import Vector

DOCUMENT = 250  # passages
STEEPNESS = 0.3  # the store of rank r has smallest * (stores / r) ** STEEPNESS passages
NUMBERS_OF_INDEXES = (0, 100, 500, 2000)
SIZES = (5_000, 10_000, 20_000, 50_000)  # of the stores that are searched
SAMPLE = 4  # stores of each size
PASSAGES = f"""
    INSERT INTO agents_passage
        (archive_id, place, position, text, tokens, created_at, embedding, embedding_model, words, words_form)
    SELECT archive, '', 0, text, 60, now(), l2_normalize(part.main + rest.v), %(model)s, words, %(form)s
    FROM (
        SELECT archive, floor(random() * {PARAGRAPHS})::int AS a, floor(random() * {RESTS})::int AS d
        FROM unnest(%(archives)s::bigint[]) WITH ORDINALITY AS store (archive, turn), generate_series(1, {DOCUMENT})
        ORDER BY turn OFFSET 0
    ) AS picked
    JOIN bench_part AS part ON part.id = a JOIN bench_words ON bench_words.id = a JOIN bench_rest AS rest ON rest.id = d
    ORDER BY archive
"""


@dataclass(frozen=True)
class Numbered:
    """What `indexes` vector indexes of other stores cost. Times in ms, p50."""

    indexes: int
    search: float
    insert: float


@dataclass(frozen=True)
class Searched:
    """Stores of about `size` rows, searched `way`. Times in ms; `building` is seconds for one index."""

    size: int
    way: str
    stores: int
    first: float
    p50: float
    p95: float
    recall: float
    building: float


def sizes(stores: int, smallest: int, largest: int) -> list[int]:
    """Of each store, whole documents, the largest first."""
    wanted = (min(largest, smallest * (stores / rank) ** STEEPNESS) for rank in range(1, stores + 1))
    return [DOCUMENT * round(size / DOCUMENT) for size in wanted]


def archives(stores: int) -> list[int]:
    from django.contrib.auth.models import User

    from agents.models import Archive

    owner, _new = User.objects.get_or_create(username="bench")
    missing = stores - Archive.objects.filter(owner=owner).count()
    Archive.objects.bulk_create(Archive(owner=owner, name=f"store {number}") for number in range(missing))
    return list(Archive.objects.filter(owner=owner).order_by("pk").values_list("pk", flat=True)[:stores])


def numbered(keys: list[int], queries: "Mapping[str, Vector]") -> list[Numbered]:
    """One row a store; the last store has none and is the one that is searched and written to."""
    from agents.external_context import vector_index
    from agents.models import Passage

    vector = next(iter(queries.values()))
    found = []
    *others, ours = keys
    for number in (number for number in NUMBERS_OF_INDEXES if number < len(keys)):
        there = set(Passage.objects.values_list("archive_id", flat=True))
        Passage.objects.bulk_create(row(archive, vector) for archive in others[:number] if archive not in there)
        with mock.patch.multiple(vector_index, LARGE=0, TOO_LARGE=0):
            vector_index.ensure()
        searches = [taken(partial(search, ours, query)) for query in queries]
        inserts = [taken(row(ours, vector).save) for _query in queries]
        Passage.objects.filter(archive=ours).delete()
        found.append(Numbered(number, statistics.median(searches), statistics.median(inserts)))
    Passage.objects.all().delete()
    vector_index.ensure()  # drops them
    return found


def row(archive: int, vector: "Vector") -> Any:
    from agents.llm.embeddings import get_embedder
    from agents.models import Passage

    return Passage(archive_id=archive, text="A row.", embedding=vector, embedding_model=get_embedder().name)


def empty() -> None:
    from django.db import connection

    from agents.external_context import vector_index

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE agents_passage CASCADE")
    vector_index.ensure()  # drops what was there


def fill(keys: list[int], rows: list[int]) -> None:
    from django.db import connection

    from agents.external_context import words
    from agents.llm.embeddings import get_embedder

    documents = [
        [key for key, size in zip(keys, rows, strict=True) if size > DOCUMENT * turn]
        for turn in range(max(rows) // DOCUMENT)
    ]
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX passage_words")
        cursor.execute("DROP TABLE IF EXISTS bench_words")
        cursor.execute("CREATE TABLE bench_words AS SELECT id, to_tsvector('english', text) AS words FROM bench_part")
        cursor.execute("SELECT setseed(0.7)")
        with timed(f"{sum(rows):,} rows"):
            for written in tqdm(documents, desc="a document a store"):
                parameters: dict[str, Any] = {"archives": written, "model": get_embedder().name, "form": words.FORM}
                cursor.execute(PASSAGES, parameters)
        with timed("index of words"):
            cursor.execute("SET maintenance_work_mem = '2GB'")
            cursor.execute("CREATE INDEX passage_words ON agents_passage USING gin (words)")
        cursor.execute("VACUUM ANALYZE agents_passage")


def search(archive: int, query: str) -> None:
    from agents.external_context import archival_storage
    from agents.models import Passage

    archival_storage.search_in([archive], Passage.objects.filter(archive=archive, retracted_at=None), query)


def searched(by_size: Mapping[int, list[int]], queries: "Mapping[str, Vector]") -> Iterator[Searched]:
    from agents.external_context import vector_index
    from agents.external_context.vector_index import ARCHIVAL

    for size, keys in by_size.items():
        yield of(size, "row by row", keys, queries, 0.0)
    indexed = [keys[0] for keys in by_size.values()]
    needed = [vector_index._Index(ARCHIVAL, "embedding", key) for key in indexed]
    with mock.patch.object(vector_index, "_needed", lambda present: iter(needed)):
        building = taken(vector_index.ensure) / 1000 / len(indexed)
    for size, key in zip(by_size, indexed, strict=True):
        yield of(size, "index", [key], queries, building)


def of(size: int, way: str, keys: list[int], queries: "Mapping[str, Vector]", building: float) -> Searched:
    firsts, times, recalls = [], [], []
    for key in tqdm(keys, desc=f"{size:,} rows {way}"):
        first, *others = (taken(partial(search, key, query)) for query in queries)
        firsts.append(first)
        times += others
        recalls += [recall(key, query, vector) for query, vector in queries.items()]
    p95 = statistics.quantiles(times, n=20)[-1]
    return Searched(
        size,
        way,
        len(keys),
        statistics.median(firsts),
        statistics.median(times),
        p95,
        statistics.fmean(recalls),
        building,
    )


def recall(archive: int, query: str, vector: "Vector") -> float:
    from agents.models import Passage

    return recall_at_10(Passage.objects.filter(archive=archive, retracted_at=None), [archive], query, vector)


def taken(work: Callable[[], Any]) -> float:
    """In ms."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


@contextmanager
def embedded(queries: "Mapping[str, Vector]") -> Iterator[None]:
    """The queries' vectors are at hand."""
    from agents.llm.embeddings import get_embedder

    with mock.patch.object(get_embedder(), "embed_query", queries.__getitem__):
        yield


def show(by_number: list[Numbered], by_size: list[Searched]) -> None:
    print(f"{'vector indexes of others':>26}{'search of an empty store, ms':>30}{'insert, ms':>12}")
    for one in by_number:
        print(f"{one.indexes:26,}{one.search:30.1f}{one.insert:12.1f}")
    names = f"{'stores':>8}{'first ms':>10}{'p50 ms':>9}{'p95 ms':>9}{'recall@10':>11}{'building s':>12}"
    print(f"\n{'rows':>10}{'':>12}{names}")
    for found in by_size:
        print(
            f"{found.size:10,}{found.way:>12}{found.stores:8}{found.first:10.1f}{found.p50:9.1f}{found.p95:9.1f}"
            f"{found.recall:11.3f}{found.building:12.1f}"
        )


def run(options: argparse.Namespace) -> dict[str, Any]:
    from agents.models import Passage

    _texts, queries = ready(options.queries)
    keys = archives(options.stores + 1)
    rows = sizes(options.stores, options.smallest, options.largest)
    with embedded(queries):
        by_number = []
        if Passage.objects.count() != sum(rows):
            empty()
            by_number = numbered(keys, queries)
            show(by_number, [])
            fill(keys[:-1], rows)
        near = {size: sorted(range(len(rows)), key=lambda store: abs(rows[store] - size))[:SAMPLE] for size in SIZES}
        by_size = list(searched({size: [keys[store] for store in near[size]] for size in SIZES}, queries))
    show(by_number, by_size)
    return {"indexes": [asdict(one) for one in by_number], "stores": [asdict(one) for one in by_size]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=int, default=2000)
    parser.add_argument("--smallest", type=int, default=5_000, help="passages")
    parser.add_argument("--largest", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--home", type=Path, help="keep the database in this folder")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    with database(options.home):
        figures = run(options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

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
import ast
import json
import random
import re
import statistics
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from tqdm import tqdm

from benchmarks.database import database

if TYPE_CHECKING:
    from agents.llm.embeddings import Vector
    from agents.models import Agent, Document

PARAGRAPHS = 8000  # embedded, for the passages
SHARES = {"0.1 %": 1000, "10 %": 10, "90 %": 1}
"""Agents, and that every n-th row is theirs."""
WORDS = range(25, 90)  # of a paragraph
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
MAIN, SIDE, REST = 0.8, 0.4, 0.2  # weights
RESTS = 20_000
WARM_UP = 20  # queries, or passages to embed
NEAREST = 10
INSERTED, INGESTED = 512, 300  # passages, paragraphs

TABLES = """
    CREATE TABLE IF NOT EXISTS bench_paragraph (id integer PRIMARY KEY, text text, v halfvec({dimension}));
    DROP TABLE IF EXISTS bench_part, bench_rest;
    CREATE TABLE bench_part (id integer, text text, main halfvec({dimension}), side halfvec({dimension}));
    CREATE TABLE bench_rest (id integer, v halfvec({dimension}));
"""
PASSAGES = f"""
    INSERT INTO agents_passage
        (archive_id, place, position, text, tokens, created_at, embedding, embedding_model, words)
    SELECT archive, '', 0, text, 160, now(), v, %(model)s, to_tsvector('english', text)
    FROM (
        SELECT CASE WHEN n %% 1000 = 0 THEN %(small)s WHEN n %% 10 = 1 THEN %(middle)s ELSE %(large)s END AS archive,
            one.text || ' ' || two.text || ' ' || three.text || ' Reference ' || n || '.' AS text,
            l2_normalize(one.main + two.side + three.side + rest.v) AS v
        FROM (
            SELECT n, floor(random() * {PARAGRAPHS})::int AS a, floor(random() * {PARAGRAPHS})::int AS b,
                floor(random() * {PARAGRAPHS})::int AS c, floor(random() * {RESTS})::int AS d
            FROM generate_series(%(first)s, %(last)s) n OFFSET 0
        ) picked
        JOIN bench_part one ON one.id = a JOIN bench_part two ON two.id = b
        JOIN bench_part three ON three.id = c JOIN bench_rest rest ON rest.id = d
        ORDER BY n
    ) made
"""


def paragraphs() -> list[str]:
    """English prose from the docstrings of Python and of what is installed, each once."""
    warnings.simplefilter("ignore")  # old packages have odd escapes in their strings
    found: dict[str, None] = {}
    for root in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
        for file in sorted(Path(root).rglob("*.py")):
            found |= dict.fromkeys(_prose(file))
    return list(found)


def _prose(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text())
    except (SyntaxError, ValueError):
        return
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        for paragraph in re.split(r"\n\s*\n", (isinstance(node, documented) and ast.get_docstring(node)) or ""):
            text = " ".join(paragraph.split())
            words = text.split()
            prose = sum(word.strip(".,;:()'\"").isalpha() for word in words)
            if len(words) in WORDS and text[0].isupper() and text[-1] in ".!" and prose > 0.85 * len(words):
                yield text


def agents() -> "dict[str, Agent]":
    """The three, by share."""
    from django.contrib.auth.models import User

    from agents import services
    from agents.models import Agent

    owner, new = User.objects.get_or_create(username="bench")
    if new:
        for share in SHARES:
            services.agent_create(owner=owner, draft=services.AgentDraft(name=share, persona="", human=""))
    return {share: Agent.objects.get(owner=owner, name=share) for share in SHARES}


def prepare(texts: Sequence[str]) -> None:
    """What passages are put together from. A passage is about one paragraph most, two more, and something besides: how
    paragraphs' real embeddings differ from their mean is weighted and summed."""
    from django.db import connection

    from agents.llm.embeddings import get_embedder

    embedder = get_embedder()
    with connection.cursor() as cursor:
        cursor.execute(TABLES.format(dimension=embedder.dimension))
        cursor.execute("SELECT count(*) FROM bench_paragraph")
        (done,) = cursor.fetchone()
        for number, text in enumerate(tqdm(texts[done:], desc="paragraphs"), done):
            vector = embedder.embed_passages([text])[0]
            cursor.execute("INSERT INTO bench_paragraph VALUES (%s, %s, %s)", [number, text, str(vector)])
        cursor.execute("SELECT text, v::real[] FROM bench_paragraph ORDER BY id")
        known, vectors = zip(*cursor.fetchall(), strict=True)
        mean = np.mean(vectors, axis=0)
        apart = np.array(vectors) - mean
        with cursor.copy("COPY bench_part FROM STDIN") as copy:
            for number, text in enumerate(known):
                copy.write_row((number, text, _told(mean + MAIN * apart[number]), _told(SIDE * apart[number])))
        chance = np.random.default_rng(7)
        with cursor.copy("COPY bench_rest FROM STDIN") as copy:
            for number in range(RESTS):
                copy.write_row((number, _told(REST * apart[chance.integers(len(apart), size=4)].sum(axis=0))))


def _told(vector: "np.ndarray[Any, Any]") -> str:
    return str(vector.round(6).tolist())


def fill(owners: "dict[str, Agent]", rows: int) -> None:
    """To `rows` passages. The large indexes are dropped before and built after, which is faster."""
    from django.db import connection

    from agents.external_context import vector_index
    from agents.llm.embeddings import get_embedder
    from agents.models import Passage

    there = Passage.objects.count()
    if there == rows:
        return
    if there > rows:
        raise SystemExit(f"The folder holds {there:,} passages already: no fewer can be measured.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE %s", [f"{vector_index.BEGINNING}%"])
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("DROP INDEX IF EXISTS passage_words")
        archives = dict(zip(("small", "middle", "large"), (owner.archive_id for owner in owners.values()), strict=True))
        with timed(f"{rows - there:,} rows"):
            given: dict[str, Any] = {"model": get_embedder().name, "first": there + 1, "last": rows, **archives}
            cursor.execute("SELECT setseed(0.7)")
            cursor.execute(PASSAGES, given)
        with timed("index of words"):
            cursor.execute("SET maintenance_work_mem = '3GB'")
            cursor.execute("CREATE INDEX passage_words ON agents_passage USING gin (words)")
        with timed("index of vectors"):
            vector_index.ensure()
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - started:.0f} s", file=sys.stderr)


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
    """The share of the ten nearest rows that the product's vector arm has among its first ten."""
    from pgvector.django import CosineDistance

    from agents.external_context import archival_storage, hybrid
    from agents.external_context.vector_index import ARCHIVAL

    rows = archival_storage.passages_of(agent)
    arms = hybrid.Arms(ARCHIVAL, words=(), vectors=("embedding",))
    arm = hybrid.candidates(rows, archival_storage.archives_of(agent), arms, query)
    found = sorted(arm, key=lambda candidate: -candidate.scores["embedding"])[:NEAREST]
    # no index is over the column as it is
    nearest = set(rows.order_by(CosineDistance("embedding", vector)).values_list("pk", flat=True)[:NEAREST])
    return len(nearest & {candidate.row.pk for candidate in found}) / len(nearest)


def inserts(owner: "Agent") -> float:
    """Passages a second through the product's own door, without the embedding."""
    from django.db import connection

    from agents.external_context import archival_storage
    from agents.ingest.working import BATCH
    from agents.llm.embeddings import get_embedder

    with connection.cursor() as cursor:
        cursor.execute("SELECT text, v::real[] FROM bench_paragraph ORDER BY random() LIMIT %s", [INSERTED])
        ready = dict(cursor.fetchall())
    pieces = [(position, None, "", text) for position, text in enumerate(ready)]
    with document(owner, "") as made:
        embedded = mock.patch.object(get_embedder(), "embed_passages", lambda texts: [ready[text] for text in texts])
        started = time.perf_counter()
        with embedded:
            for start in range(0, len(pieces), BATCH):
                archival_storage.insert_pieces(made, pieces[start : start + BATCH])
        return len(pieces) / (time.perf_counter() - started)


def ingested(owner: "Agent", text: str) -> tuple[float, float]:
    """Passages a second: of the embedding model by itself, and of `text` on its whole way through a worker."""
    from agents import ingest
    from agents.llm.embeddings import get_embedder

    with document(owner, text) as made:
        pieces = [piece.text for piece in ingest.working.cut(made)]
        get_embedder().embed_passages(pieces[:WARM_UP])
        started = time.perf_counter()
        get_embedder().embed_passages(pieces)
        alone = time.perf_counter() - started
        started = time.perf_counter()
        ingest.work(made)
        whole = time.perf_counter() - started
        assert made.passages.count() == len(pieces)
    return len(pieces) / alone, len(pieces) / whole


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
            [f"{vector_index.BEGINNING}%"],
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
    from agents.llm.embeddings import get_embedder

    texts = paragraphs()
    random.Random(7).shuffle(texts)
    prepare(texts[:PARAGRAPHS])
    others = [SENTENCE.split(text)[0] for text in texts[PARAGRAPHS : PARAGRAPHS + options.queries]]
    queries = {text: get_embedder().embed_query(text) for text in others}
    owners = agents()
    measured, stores = [], []
    for rows in sorted(options.sizes):
        fill(owners, rows)
        measured += [measure(rows, owner, queries, options.exact) for owner in owners.values()]
        stores.append(store(rows, owners["90 %"]))
    show(measured, stores)
    alone, whole = ingested(owners["90 %"], "\n\n".join(texts[-INGESTED:]))
    print(f"\nIngestion: {whole:.1f} passages/s, the embedding model alone {alone:.1f}: {100 * whole / alone:.0f} %")
    return {
        "queries": [asdict(row) for row in measured],
        "stores": [asdict(one) for one in stores],
        "ingestion": {"passages_per_second": whole, "embedding_alone": alone},
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

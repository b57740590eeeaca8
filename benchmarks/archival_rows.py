"""A large archival store for three agents, put into the database by SQL, of real English and its real embeddings."""

import ast
import random
import re
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from agents.llm.embeddings import Vector
    from agents.models import Agent, Passage

PARAGRAPHS = 8000  # embedded, for the passages
SHARES = {"0.1 %": 1000, "10 %": 10, "90 %": 1}
"""Agents, and that every n-th row is theirs."""
WORDS = range(25, 90)  # of a paragraph
MAIN, SIDE, REST = 0.8, 0.4, 0.2  # weights
RESTS = 20_000
NEAREST = 10
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")

TABLES = """
    CREATE TABLE IF NOT EXISTS bench_paragraph (id integer PRIMARY KEY, text text, v halfvec({dimension}));
    DROP TABLE IF EXISTS bench_part, bench_rest;
    CREATE TABLE bench_part (id integer, text text, main halfvec({dimension}), side halfvec({dimension}));
    CREATE TABLE bench_rest (id integer, v halfvec({dimension}));
"""
PASSAGES = f"""
    INSERT INTO agents_passage
        (archive_id, place, position, text, tokens, created_at, embedding, embedding_model, words, words_form)
    SELECT archive, '', 0, text, 160, now(), v, %(model)s, to_tsvector('english', text), %(form)s
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
    texts: dict[str, None] = {}
    for root in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
        for file in sorted(Path(root).rglob("*.py")):
            texts |= dict.fromkeys(_prose(file))
    return list(texts)


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


def ready(count: int) -> "tuple[list[str], dict[str, Vector]]":
    """The texts, of which passages can be put together now, and so many queries: sentences of others, embedded."""
    from agents.llm.embeddings import get_embedder

    texts = paragraphs()
    random.Random(7).shuffle(texts)
    prepare(texts[:PARAGRAPHS])
    others = [SENTENCE.split(text)[0] for text in texts[PARAGRAPHS : PARAGRAPHS + count]]
    return texts, {text: get_embedder().embed_query(text) for text in others}


def recall_at_10(rows: "QuerySet[Passage]", archives: list[int], query: str, vector: "Vector") -> float:
    """The share of the ten nearest rows that the product's vector arm has among its first ten."""
    from pgvector.django import CosineDistance

    from agents.external_context import hybrid
    from agents.external_context.vector_index import ARCHIVAL

    columns = hybrid.SearchColumns(ARCHIVAL, words=(), vectors=("embedding",))
    candidates = hybrid.candidates(rows, archives, columns, query)
    retrieved = sorted(candidates, key=lambda candidate: -candidate.scores["embedding"])[:NEAREST]
    # no index is over the column as it is
    nearest = set(rows.order_by(CosineDistance("embedding", vector)).values_list("pk", flat=True)[:NEAREST])
    return len(nearest & {candidate.row.pk for candidate in retrieved}) / len(nearest)


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
        stored, vectors = zip(*cursor.fetchall(), strict=True)
        mean = np.mean(vectors, axis=0)
        apart = np.array(vectors) - mean
        with cursor.copy("COPY bench_part FROM STDIN") as copy:
            for number, text in enumerate(stored):
                copy.write_row((number, text, _literal(mean + MAIN * apart[number]), _literal(SIDE * apart[number])))
        chance = np.random.default_rng(7)
        with cursor.copy("COPY bench_rest FROM STDIN") as copy:
            for number in range(RESTS):
                copy.write_row((number, _literal(REST * apart[chance.integers(len(apart), size=4)].sum(axis=0))))


def _literal(vector: "np.ndarray[Any, Any]") -> str:
    return str(vector.round(6).tolist())


def fill(owners: "dict[str, Agent]", rows: int) -> None:
    """To `rows` passages. The large indexes are dropped before and built after, which is faster."""
    from django.db import connection

    from agents.external_context import vector_index, words
    from agents.llm.embeddings import get_embedder
    from agents.models import Passage

    there = Passage.objects.count()
    if there == rows:
        return
    if there > rows:
        raise SystemExit(f"The folder holds {there:,} passages already: no fewer can be measured.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE %s", [f"{vector_index.NAME_PREFIX}%"])
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("DROP INDEX IF EXISTS passage_words")
        archives = dict(zip(("small", "middle", "large"), (owner.archive_id for owner in owners.values()), strict=True))
        with timed(f"{rows - there:,} rows"):
            kinds: dict[str, Any] = {"model": get_embedder().name, "form": words.FORM}
            parameters = {**kinds, "first": there + 1, "last": rows, **archives}
            cursor.execute("SELECT setseed(0.7)")
            cursor.execute(PASSAGES, parameters)
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

"""Two agents with a long past, a small and a large one, put into the database by SQL: runs, messages and passages."""

import random
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.models import Agent

FEW = 100  # rows of the small agent
IN_QUEUE = 60  # of each agent's newest messages
A_LIST = 40  # runs of the small agent, so that its list is as long as the other's; the first ones say nothing
SENTENCES = 1000  # that texts and vectors are put together from, two by two

COMMON = """
the a of and in on at to with from into under over it was is he she they we you i that this there here when then again
"""
STEMS = """
lamp keep harbour light house tower sea wind storm rope ladder stair log book barrel oil wick brass mirror lens glass
gull boat sail mast anchor pier quay rock reef tide moon night dawn fog bell horn coat boot tea bread letter radio chart
compass engine paint window door key master captain sister garden cat stove winter summer morning
"""
ENDINGS = " ala beno cira dolu emi foro gatu heli imo jora kuto lema miro nuta olo pira quen rolu sato temi"
# A few words are said all the time, most of them seldom: weights fall with the rank, as in any talk.
WORDS = [stem + ending for ending in ENDINGS.split(" ") for stem in STEMS.split()]
WEIGHTS = [1 / (rank + 10) for rank in range(1, len(WORDS) + 1)]

POOL = """
    DROP TABLE IF EXISTS pool;
    CREATE TEMP TABLE pool AS
    SELECT id - 1 AS id, text,
        (SELECT array_agg(random() - 0.5) FROM generate_series(1, 384) WHERE id > 0)::halfvec AS v
    FROM unnest(%s::text[]) WITH ORDINALITY AS sentence (text, id)
"""
# Two sentences and two vectors a row; the pairs differ from row to row.
PAIRS = """
    SELECT n, n %% 4 AS part, one.text || ' ' || two.text AS text, one.v + two.v AS v
    FROM generate_series(1, %(rows)s) n
    JOIN pool one ON one.id = n %% %(pool)s
    JOIN pool two ON two.id = (n / %(pool)s * 17 + n * 7) %% %(pool)s
"""
RUNS = """
    INSERT INTO agents_run (agent_id, trigger, status, idempotency_key, error, created_at, started_at, finished_at)
    SELECT %(agent)s, 'user_message', 'done', 'bench ' || n, '', at, at, at + interval '3 seconds'
    FROM (SELECT n, now() - (%(runs)s - n) * interval '5 minutes' AS at FROM generate_series(1, %(runs)s) n) r
    ORDER BY n
"""
STEPS = """
    INSERT INTO agents_step (run_id, number, model, prompt_tokens, completion_tokens, cached_tokens,
        time_to_first_token, latency, finish_reason, sections, queue_start, last_seq, "window", flush_mark, created_at)
    SELECT id, number, 'scripted', 5200, 60, 4000, 0.4, 1.5, 'tool_calls',
        '[["system_instructions", 1400], ["functions", 1200], ["core_memory", 400], ["queue", 2200]]',
        1, 1, 32768, 30000, created_at
    FROM agents_run, generate_series(1, 2) number WHERE agent_id = %(agent)s
    ORDER BY id, number
"""
# A turn: a question (1), a search (2) with its result (3), a reply (0).
MESSAGES = f"""
    INSERT INTO agents_message (agent_id, seq, kind, content, inner_monologue, calls, call_id, function, failed,
        stopped, tokens, run_id, step_id, created_at, earlier, state, embedding, context_embedding, embedding_model,
        words, words_form, context_words)
    SELECT %(agent)s, n,
        CASE part WHEN 1 THEN 'user_message' WHEN 3 THEN 'function_result' ELSE 'assistant' END,
        CASE part WHEN 2 THEN ''
            WHEN 3 THEN json_build_object('status', 'OK', 'message', text, 'time', '')::text ELSE text END,
        CASE WHEN part IN (0, 2) THEN 'I think about ' || left(text, 60) ELSE '' END,
        CASE part
            WHEN 2 THEN jsonb_build_array(jsonb_build_object('id', 'call_' || n, 'name', 'archival_memory_search',
                'arguments', json_build_object('query', left(text, 30))::text))
            WHEN 0 THEN jsonb_build_array(jsonb_build_object('id', 'call_' || n, 'name', 'send_message',
                'arguments', json_build_object('message', text)::text))
            ELSE '[]' END,
        CASE part WHEN 3 THEN 'call_' || (n - 1) ELSE '' END,
        CASE part WHEN 3 THEN 'archival_memory_search' ELSE '' END,
        false, false, 45, run.id, step.id, run.created_at, '[]', '{{}}',
        CASE WHEN part < 2 THEN v END, CASE WHEN part < 2 THEN v END, CASE WHEN part < 2 THEN %(model)s ELSE '' END,
        CASE WHEN part < 2 THEN to_tsvector('english', text) END, %(form)s,
        CASE WHEN part < 2 THEN to_tsvector('english', text) END
    FROM ({PAIRS}) p
    JOIN agents_run run ON run.agent_id = %(agent)s
        AND run.idempotency_key = 'bench ' || ((n + 3) / 4 + %(runs)s - %(rows)s / 4)
    LEFT JOIN agents_step step ON step.run_id = run.id AND step.number = CASE part WHEN 2 THEN 1 WHEN 0 THEN 2 END
    ORDER BY n
"""
EVENTS = """
    UPDATE agents_run SET event_id = m.id FROM agents_message m
    WHERE m.run_id = agents_run.id AND m.kind = 'user_message' AND agents_run.agent_id = %(agent)s
"""
PASSAGES = f"""
    INSERT INTO agents_passage (archive_id, place, position, text, tokens, created_at,
        embedding, embedding_model, words, words_form)
    SELECT %(archive)s, '', 0, text, 40, now(), v, %(model)s, to_tsvector('english', text), %(form)s
    FROM ({PAIRS}) p ORDER BY n
"""


def sentence(chance: random.Random, words: int) -> str:
    seldom = chance.choices(WORDS, WEIGHTS, k=words // 2)
    usual = chance.choices(COMMON.split(), k=words // 2)
    return " ".join(word for pair in zip(seldom, usual, strict=True) for word in pair).capitalize() + "."


def fill(rows: int) -> tuple[str, str]:
    """A person with two agents; their ids, the small one's first."""
    from django.contrib.auth.models import User
    from django.db import connection

    from agents import services
    from agents.external_context import vector_index

    owner = User.objects.create_user("bench")
    draft: dict[str, Any] = {"persona": "I keep the lamp.", "human": "Name: Ada."}
    small, large = (
        services.agent_create(owner=owner, draft=services.AgentDraft(name=name, **draft)) for name in ("Small", "Large")
    )
    with connection.cursor() as cursor:
        _make_pool(cursor)
        for agent, count in ((small, FEW), (large, rows)):
            started = time.monotonic()
            _fill_agent(agent, count)
            print(f"  {count:,} messages and passages: {time.monotonic() - started:.0f} s", file=sys.stderr)
        started = time.monotonic()
        vector_index.ensure()
        cursor.execute("VACUUM ANALYZE")
        print(f"  indexes of vectors: {time.monotonic() - started:.0f} s", file=sys.stderr)
    connection.close()
    return str(small.pk), str(large.pk)


def lengthen(agent: "Agent", rows: int) -> None:
    """Give an agent a past of so many messages and passages, without indexes of vectors."""
    from django.db import connection

    with connection.cursor() as cursor:
        _make_pool(cursor)
        _fill_agent(agent, rows)
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def _make_pool(cursor: Any) -> None:
    chance = random.Random(7)
    cursor.execute(POOL, [[sentence(chance, 14) for _ in range(SENTENCES)]])


def _fill_agent(agent: "Agent", rows: int) -> None:
    from django.db import connection

    from agents.external_context import words
    from agents.llm.embeddings import get_embedder
    from agents.models import Agent, Summary

    parameters: dict[str, Any] = {
        "agent": agent.pk,
        "archive": agent.archive_id,
        "rows": rows,
        "runs": max(rows // 4, A_LIST),
        "pool": SENTENCES,
        "model": get_embedder().name,
        "form": words.FORM,
    }
    agent.messages.all().delete()
    with connection.cursor() as cursor:
        for statement in (RUNS, STEPS, MESSAGES, EVENTS, PASSAGES):
            cursor.execute(statement, parameters)
    start = rows - IN_QUEUE + 1
    summary = Summary.objects.create(agent=agent, text="They talked about lamps.", covers_to=start, tokens=8)
    Agent.objects.filter(pk=agent.pk).update(next_seq=rows + 1, queue_start=start, summary=summary)

"""The timeline as Letta's clients know it. A row of what the model answered is several messages: what it thought, each
call, what it said. What `send_message` said is an `assistant_message` and no call; every other call has its return."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from agents.llm.types import SEND_MESSAGE
from agents.main_context.fifo_queue import result_text
from agents.models import Agent, Message
from agents.models.searched import SearchedQuerySet
from api.answers import when
from api.asked import Listing
from api.errors import Unknown
from api.ids import MessagePart, message_part, step_part, written
from api.letta.shapes import Shape

Kind = Message.Kind

KINDS = {
    "user_message": Kind.USER_MESSAGE,
    "assistant_message": Kind.ASSISTANT,
    "reasoning_message": Kind.ASSISTANT,
    "tool_call_message": Kind.ASSISTANT,
    "tool_return_message": Kind.FUNCTION_RESULT,
}
EVENTS = (Kind.HEARTBEAT, Kind.SYSTEM_ALERT, Kind.LOGIN)
OTHER_TYPES = frozenset({"system_message", "event_message", "summary_message", "hidden_reasoning_message"})
LIMIT = 100
CHUNK = 200  # rows read at once


def rows_of(agent: Agent) -> "SearchedQuerySet[Message]":
    """The rows that programs see something of, with step and run. Notices are for people."""
    rows = agent.messages.filter(seq__isnull=False, retracted_at=None).exclude(kind=Kind.NOTICE)
    return rows.without_search_columns().select_related("step", "run")


def messages_of(rows: Sequence[Message]) -> list[list[Shape]]:
    """The messages of each row, in the order in which they were written. A query only if an answer spoke twice."""
    unsaid = _unsaid_calls(rows)
    return [list(_messages(row, unsaid.get(row.pk, frozenset()))) for row in rows]


def _messages(row: Message, unsaid: Collection[str]) -> Iterator[Shape]:
    if row.kind == Kind.ASSISTANT:
        yield from _answer(row, unsaid)
    elif row.kind == Kind.FUNCTION_RESULT:
        if row.call_id and (row.function != SEND_MESSAGE or row.failed):
            yield _return(row)
    elif row.kind == Kind.USER_MESSAGE:
        yield _base(row, "user_message", "") | {"content": row.content}
    elif row.kind in EVENTS:
        yield _base(row, "system_message", "") | {"content": row.content, "name": row.kind}


def _answer(row: Message, unsaid: Collection[str]) -> Iterator[Shape]:
    if row.inner_monologue:
        thought = {"reasoning": row.inner_monologue, "source": "non_reasoner_model"}
        yield _base(row, "reasoning_message", "thought") | thought
    for number, call in enumerate(row.calls):
        if call["name"] != SEND_MESSAGE or not row.content or call["id"] in unsaid:
            written_call = {"name": call["name"], "arguments": call["arguments"], "tool_call_id": call["id"]}
            told = {"tool_call": written_call, "tool_calls": [written_call]}
            yield _base(row, "tool_call_message", f"call{number}") | told
    if row.content:
        yield _base(row, "assistant_message", "said") | {"content": row.content}


def _return(row: Message) -> Shape:
    status = "error" if row.failed else "success"
    text = result_text(row.content)
    returned = {"tool_call_id": row.call_id, "status": status, "tool_return": text, "type": "tool"}
    told = {"tool_return": text, "status": status, "tool_call_id": row.call_id, "name": row.function}
    return _base(row, "tool_return_message", "") | told | {"tool_returns": [returned]}


def _base(row: Message, kind: str, part: str) -> Shape:
    return {
        "id": id_of(row, part),
        "message_type": kind,
        "date": when(row.created_at),
        "run_id": written("run", row.run_id) if row.run_id else None,
        "step_id": written("step", row.step_id) if row.step_id else None,
        "seq_id": row.seq,
    }


def id_of(row: Message, part: str) -> str:
    """The id of a message; of a row that was copied from another agent's run, by its own key."""
    if not part:
        return written("message", row.pk)
    if row.run and row.step and row.run.agent_id == row.agent_id:
        return step_part(row.run_id or 0, row.step.number, part)
    return f"{written('message', row.pk)}-{part}"


def _unsaid_calls(rows: Iterable[Message]) -> dict[int, frozenset[str]]:
    """Of answers that spoke more than once: which of these calls failed, and so were never said."""
    several = [row for row in rows if sum(call["name"] == SEND_MESSAGE for call in row.calls) > 1 and row.content]
    if not several:
        return {}
    failed = Message.objects.filter(
        agent=several[0].agent_id, step__in=[row.step_id for row in several], kind=Kind.FUNCTION_RESULT, failed=True
    )
    by_step: dict[int | None, set[str]] = {}
    for step, call in failed.values_list("step", "call_id"):
        by_step.setdefault(step, set()).add(call)
    return {row.pk: frozenset(by_step.get(row.step_id, ())) for row in several}


@dataclass(frozen=True)
class _Cursor:
    """Just behind the message with this id, in the row with this seq."""

    seq: int
    id: str


def page(
    rows: "SearchedQuerySet[Message]", asked: Listing, *, newest_first: bool, types: frozenset[str]
) -> list[Shape]:
    """A page of messages. Steps are cut nowhere: the next page goes on behind the last message of this one, also in the
    middle of a row. Raises Unknown for a cursor that is none of these rows."""
    descending = asked.order == "desc" if asked.order else newest_first
    limit = asked.limit or LIMIT
    backward = bool(asked.before and not asked.after)
    after = _cursor(rows, asked.after) if asked.after else None
    before = _cursor(rows, asked.before) if asked.before else None
    walk = _walk(rows, types, before if backward else after, descending=descending != backward)
    found = list(islice(_until(walk, None if backward else before), limit))
    return found[::-1] if backward else found


def _until(messages: Iterator[Shape], end: _Cursor | None) -> Iterator[Shape]:
    for message in messages:
        if end and message["id"] == end.id:
            return
        yield message


def _walk(
    rows: "SearchedQuerySet[Message]", types: frozenset[str], start: _Cursor | None, *, descending: bool
) -> Iterator[Shape]:
    """Messages from behind `start` on, some rows at a time."""
    seq, skip = (start.seq, start.id) if start else (None, "")
    if types and not types & OTHER_TYPES:
        rows = rows.filter(kind__in={KINDS[kind] for kind in types if kind in KINDS})
    while True:
        sign = ("lte" if skip else "lt") if descending else ("gte" if skip else "gt")
        ahead = rows.filter(**{f"seq__{sign}": seq}) if seq is not None else rows
        chunk = list(ahead.order_by("-seq" if descending else "seq")[:CHUNK])
        for messages in messages_of(chunk):
            ordered = messages[::-1] if descending else messages
            ids = [message["id"] for message in ordered]
            ordered, skip = ordered[ids.index(skip) + 1 if skip in ids else 0 :], ""
            yield from (message for message in ordered if not types or message["message_type"] in types)
        if len(chunk) < CHUNK:
            return
        seq = chunk[-1].seq


def _cursor(rows: "SearchedQuerySet[Message]", text: str) -> _Cursor:
    part = message_part(text)
    row = row_of(rows, part) if part else None
    if row is None:
        raise Unknown("message", text)
    return _Cursor(row.seq or 0, text)


def row_of(rows: "SearchedQuerySet[Message]", part: MessagePart) -> Message | None:
    """The row in which that message is."""
    if part.step is None:
        return rows.filter(pk=part.key).first()
    return rows.filter(run=part.key, step__number=part.step, kind=Kind.ASSISTANT).first()

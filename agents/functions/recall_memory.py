"""Searching recall storage (paper section 2.3)."""

from datetime import date

from agents.exceptions import FunctionError
from agents.external_context import recall_storage
from agents.external_context.hybrid import Page
from agents.functions.paging import checked_page, checked_query, page_text
from agents.functions.registry import Context, function
from agents.llm.types import Role
from agents.models import Agent, Message
from agents.person import own_time
from agents.text import framing
from agents.text.days import parse_day, stamp


@function(role=Role.SEARCHES_MEMORY, heartbeat_default=True)
def conversation_search(context: Context, query: str, page: int = 1) -> str:
    """Search all messages of this conversation, also those that left the window, by meaning and by words.

    Args:
        query: What to look for.
        page: Which page of results, from 1.
    """
    return found_text(found(context.agent, query, page, before_seq=context.run_start_seq))


def found(agent: Agent, query: str, page: int, *, before_seq: int | None) -> Page[Message]:
    """What `conversation_search` finds. Raises FunctionError."""
    return recall_storage.find(agent, checked_query(query), page=checked_page(page), before_seq=before_seq)


def found_text(results: Page[Message]) -> str:
    """As the model reads it."""
    return page_text(results, _line, "Nothing in the conversation matches. Try other words.")


@function(role=Role.SEARCHES_MEMORY, heartbeat_default=True)
def conversation_search_date(context: Context, start_date: str, end_date: str, page: int = 1) -> str:
    """Read what was said between two days, both included, oldest first.

    Args:
        start_date: First day, as YYYY-MM-DD.
        end_date: Last day, as YYYY-MM-DD.
        page: Which page of results, from 1.
    """
    start, end = _day("start_date", start_date), _day("end_date", end_date)
    if end < start:
        raise FunctionError(f"end_date {end_date} is before start_date {start_date}.")
    results = recall_storage.find_between(context.agent, start, end, page=checked_page(page))
    return page_text(results, _line, f"Nothing was said from {start_date} to {end_date}.")


def _line(message: Message) -> str:
    who = "person" if message.kind == Message.Kind.USER_MESSAGE else "you"
    return f"[{stamp(own_time(message))}] {who}: {framing.continued(message.content)}"


def _day(name: str, text: str) -> date:
    try:
        return parse_day(text)
    except ValueError as error:
        raise FunctionError(f"{name} “{text}” is not a day. Write it as YYYY-MM-DD.") from error

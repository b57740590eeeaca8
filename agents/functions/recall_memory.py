"""Searching recall storage (paper section 2.3)."""

from datetime import date

from agents.exceptions import FunctionError
from agents.external_context import recall_storage
from agents.external_context.hybrid import Page
from agents.functions.registry import Context, function
from agents.main_context.fifo_queue import stamp
from agents.models import Message, Passage

LONGEST_QUERY = 2000  # characters
LAST_PAGE = 1_000_000
FIRST_DAY = date(1970, 1, 1)  # earlier ones overflow in some time zones


@function(heartbeat_default=True)
def conversation_search(context: Context, query: str, page: int = 1) -> str:
    """Search all messages of this conversation, also those that left the window, by meaning and by words.

    Args:
        query: What to look for.
        page: Which page of results, from 1.
    """
    found = recall_storage.find(
        context.agent, checked_query(query), page=checked_page(page), before_seq=context.run_start_seq
    )
    return _told(found, "Nothing in the conversation matches. Try other words.")


@function(heartbeat_default=True)
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
    found = recall_storage.find_between(context.agent, start, end, page=checked_page(page))
    return _told(found, f"Nothing was said from {start_date} to {end_date}.")


def checked_query(query: str) -> str:
    if not query.strip():
        raise FunctionError("query is empty: say what to look for.")
    if len(query) > LONGEST_QUERY:
        raise FunctionError(f"query has {len(query):,} characters; at most {LONGEST_QUERY:,} are searched for.")
    return query


def checked_page(page: int) -> int:
    if page < 1:
        raise FunctionError(f"page counts from 1, not {page}.")
    if page > LAST_PAGE:
        raise FunctionError(f"There is no page {page}.")
    return page


def heading(found: "Page[Message] | Page[Passage]") -> str:
    return f"Showing {len(found.hits)} of {found.total}, page {found.number} of {found.pages}."


def _told(found: Page[Message], nothing: str) -> str:
    if not found.total:
        return nothing
    if not found.hits:
        return f"There is no page {found.number}: {found.total} found, {found.pages} pages."
    return "\n".join([heading(found), *(_line(hit.row) for hit in found.hits)])


def _line(message: Message) -> str:
    who = "person" if message.kind == Message.Kind.USER_MESSAGE else "you"
    return f"[{stamp(message.created_at)}] {who}: {message.content}"


def _day(name: str, text: str) -> date:
    try:
        return max(date.fromisoformat(text.strip()), FIRST_DAY)
    except ValueError as error:
        raise FunctionError(f"{name} “{text}” is not a day. Write it as YYYY-MM-DD.") from error

"""Archival storage: filing and finding (paper section 2.3)."""

from agents.exceptions import FunctionError, LLMError
from agents.external_context import archival_storage
from agents.functions.recall_memory import checked_page, checked_query, heading
from agents.functions.registry import Context, function
from agents.models import Passage

LONGEST_PASSAGE = 8000  # characters
PAGE_SIZE = 3  # passages of a document are of some 900 characters: what a result is cut at would hide a fourth


@function()
def archival_memory_insert(context: Context, content: str) -> str:
    """File something for good in archival storage.

    Args:
        content: What to file, complete in itself: names instead of pronouns.
    """
    if not content.strip():
        raise FunctionError("content is empty: nothing was filed.")
    if len(content) > LONGEST_PASSAGE:
        raise FunctionError(f"content has {len(content):,} characters; file at most {LONGEST_PASSAGE:,} at a time.")
    try:
        archival_storage.insert(context.agent.archive, content.strip(), step=context.step)
    except LLMError as error:
        raise FunctionError(f"It could not be filed now: {error}") from error
    return "Filed."


@function(heartbeat_default=True)
def archival_memory_search(context: Context, query: str, page: int = 1) -> str:
    """Search archival storage and the documents in it, by meaning and by words.

    Args:
        query: What to look for.
        page: Which page of results, from 1.
    """
    found = archival_storage.find(
        context.agent, checked_query(query), page=checked_page(page), size=PAGE_SIZE, run=context.run
    )
    if not found.total:
        empty = not archival_storage.passages_of(context.agent).exists()
        return "Archival storage is empty." if empty else "Nothing in archival storage matches. Try other words."
    if not found.hits:
        return f"There is no page {found.number}: {found.total} found, {found.pages} pages."
    return "\n".join([heading(found), *(_line(hit.row) for hit in found.hits)])


def _line(passage: Passage) -> str:
    if not passage.document:
        return f"[filed {passage.created_at:%Y-%m-%d}] {passage.text}"
    page = f", page {passage.page}" if passage.page else ""
    place = f", {passage.place}" if passage.place else ""
    return f"[{passage.document.name}{page}{place}] {passage.text}"

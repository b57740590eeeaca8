"""Archival storage: filing and finding (paper section 2.3)."""

from django.utils import timezone

from agents.exceptions import FunctionError, LLMError, QuotaReached
from agents.external_context import archival_storage
from agents.external_context.archival_storage import AsOf
from agents.external_context.hybrid import Page
from agents.functions.paging import checked_page, checked_query, page_text
from agents.functions.registry import Context, function
from agents.llm.types import Role
from agents.models import Agent, Passage, Run
from agents.text import framing

LONGEST_PASSAGE = 8000  # characters
PAGE_SIZE = 3  # passages of a document are of some 900 characters: what a result is cut at would hide a fourth


@function(role=Role.FILES)
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
    except (LLMError, QuotaReached) as error:
        raise FunctionError(f"It could not be filed now: {error}") from error
    return "Filed."


@function(role=Role.SEARCHES_MEMORY, heartbeat_default=True)
def archival_memory_search(context: Context, query: str, page: int = 1) -> str:
    """Search archival storage and the documents in it, by meaning and by words.

    Args:
        query: What to look for.
        page: Which page of results, from 1.
    """
    agent = context.agent
    return found_text(agent, found(agent, query, page, as_of=run_view(agent, context.run)))


def found(agent: Agent, query: str, page: int, *, as_of: AsOf | None) -> Page[Passage]:
    """What `archival_memory_search` finds. Raises FunctionError."""
    return archival_storage.find(agent, checked_query(query), page=checked_page(page), size=PAGE_SIZE, as_of=as_of)


def found_text(agent: Agent, results: Page[Passage]) -> str:
    """As the model reads it."""
    nothing = "Nothing in archival storage matches. Try other words."
    if not results.total and not archival_storage.passages_of(agent).exists():
        nothing = "Archival storage is empty."
    return page_text(results, _line, nothing)


def run_view(agent: Agent, run: Run) -> AsOf | None:
    """From the first search of a run on its pages stay as they are; None before it. One query."""
    searches = agent.messages.filter(run=run, function=archival_memory_search.__name__)
    time = searches.order_by("seq").values_list("created_at", flat=True).first()
    return AsOf(run, time) if time else None


def _line(passage: Passage) -> str:
    text = framing.continued(passage.text)
    if not passage.document:
        return f"[filed {timezone.localtime(passage.created_at):%Y-%m-%d}] {text}"
    page = f", page {passage.page}" if passage.page else ""
    place = f", {passage.place}" if passage.place else ""
    return f"[{framing.one_line(f'{passage.document.name}{page}{place}')}] {text}"

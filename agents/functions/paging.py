"""Pages of search results: what a search may be asked for, and the text of a page."""

from collections.abc import Callable
from typing import TypeVar

from django.db.models import Model

from agents.exceptions import FunctionError
from agents.external_context.hybrid import Page

LONGEST_QUERY = 2000  # characters
LAST_PAGE = 1_000_000

Row = TypeVar("Row", bound=Model)


def checked_query(query: str) -> str:
    """Raises FunctionError for a query that is empty or too long."""
    if not query.strip():
        raise FunctionError("query is empty: say what to look for.")
    if len(query) > LONGEST_QUERY:
        raise FunctionError(f"query has {len(query):,} characters; at most {LONGEST_QUERY:,} are searched for.")
    return query


def checked_page(page: int) -> int:
    """Raises FunctionError for a page that cannot be."""
    if page < 1:
        raise FunctionError(f"page counts from 1, not {page}.")
    if page > LAST_PAGE:
        raise FunctionError(f"There is no page {page}.")
    return page


def page_text(page: "Page[Row]", line: Callable[[Row], str], nothing: str) -> str:
    """A page as the model reads it: where it stands, then a line for each row; `nothing` if the search found none."""
    if not page.total:
        return nothing
    if not page.hits:
        return f"There is no page {page.number}: {page.total} found, {page.pages} pages."
    heading = f"Showing {len(page.hits)} of {page.total}, page {page.number} of {page.pages}."
    return "\n".join([heading, *(line(hit.row) for hit in page.hits)])

"""Core memory, and the passages of archival storage."""

from typing import Literal

from memweb.client.errors import NameTaken
from memweb.client.results import Block, ExplainedSearch, Passage
from memweb.client.steps import Steps, all_pages, ask, delete, get, naming, patch, path, post, read_as


def list_blocks(agent_id: str) -> Steps[list[Block]]:
    """The blocks of an agent's core memory."""
    return read_as(list[Block], (yield from all_pages(path("agents", agent_id, "core-memory", "blocks"))))


def get_block(*, agent_id: str, label: str) -> Steps[Block]:
    """One block by its label, as "human"."""
    return read_as(Block, (yield from ask(get(path("agents", agent_id, "core-memory", "blocks", label)))))


def edit_block(*, agent_id: str, label: str, value: str, from_revision: int | None = None) -> Steps[Block]:
    """Have a block say something else. The edit is yours in its history.

    With the `from_revision` that it was made from, it raises NotNow where the block was edited since.
    """
    made_from = {} if from_revision is None else {"from_revision": from_revision}
    change = patch(path("agents", agent_id, "core-memory", "blocks", label), {"value": value, **made_from})
    return read_as(Block, (yield from ask(change)))


def add_block(
    *, agent_id: str, label: str, value: str, limit: int | None = None, description: str | None = None
) -> Steps[Block]:
    """Make a block and give it to an agent. Raises NameTaken if it has one of that label."""
    optional = {name: given for name, given in (("limit", limit), ("description", description)) if given is not None}
    made = read_as(Block, (yield from ask(post(path("blocks") + "/", {"label": label, "value": value, **optional}))))
    try:
        yield from naming(ask(patch(path("agents", agent_id, "core-memory", "blocks", "attach", made.id))))
    except NameTaken:
        yield from ask(delete(path("blocks", made.id)))
        raise
    return made


def insert_passage(*, agent_id: str, text: str) -> Steps[Passage]:
    """File a text in an agent's archival storage."""
    rows = yield from ask(post(path("agents", agent_id, "archival-memory"), {"text": text}))
    return read_as(list[Passage], rows)[0]


def list_passages(agent_id: str) -> Steps[list[Passage]]:
    """Every passage of an agent's archival storage, the oldest first."""
    return read_as(list[Passage], (yield from all_pages(path("agents", agent_id, "archival-memory"), ascending="true")))


def search_passages(*, agent_id: str, query: str, limit: int = 10) -> Steps[list[Passage]]:
    """Search archival storage and attached archives by meaning and by words; the best first."""
    found = yield from ask(get(path("agents", agent_id, "archival-memory", "search"), query=query, top_k=limit))
    return read_as(list[Passage], found["results"])


def explain_search(
    *, agent_id: str, query: str, storage: Literal["recall", "archival"] = "recall", page: int = 1
) -> Steps[ExplainedSearch]:
    """What the agent would find and read, and why: the parts of each score add up to it."""
    address = path("agents", agent_id, "why")
    return read_as(ExplainedSearch, (yield from ask(get(address, query=query, storage=storage, page=page))))


def delete_passage(*, agent_id: str, passage_id: str) -> Steps[None]:
    """Remove a passage."""
    yield from ask(delete(path("agents", agent_id, "archival-memory", passage_id)))

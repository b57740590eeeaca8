"""Core memory blocks: a person's, and an agent's by their labels."""

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field, StrictBool

from agents import services
from agents.access import owned_by
from agents.exceptions import BlockOverLimit
from agents.models import Agent, Block
from agents.models.block import DEFAULT_LIMIT
from agents.services import BlockSettings
from agents.services.blocks import LARGEST_LIMIT, LONGEST_DESCRIPTION, LONGEST_LABEL
from api.access import agent_for, person, row_for
from api.answers import answer
from api.asked import LONGEST_TEXT, MOST_NAMES, Body, Listing, Name, only_known
from api.asked import Query as Text
from api.errors import Unknown
from api.letta import shapes
from api.pages import agents_page, page_of

router = Router(tags=["blocks"])

UNKNOWN_HERE = frozenset(
    "base_template_id deployment_id entity_id hidden is_template preserve_on_migration project_id template_id "
    "template_name".split()
)


class BlockOut(BaseModel):
    """A core memory block. `limit` is in characters; `revision` counts the edits of `value`."""

    id: str
    label: str
    value: str
    limit: int
    description: str | None
    read_only: bool
    revision: int
    tags: list[str]
    metadata: dict[str, Any]


class BlockCreate(Body):
    """A new block. `limit` is in characters."""

    NOT_SUPPORTED: ClassVar = UNKNOWN_HERE

    label: str = Field(min_length=1, max_length=LONGEST_LABEL)
    value: str = Field(max_length=LONGEST_TEXT)
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT)
    description: str | None = Field(None, max_length=LONGEST_DESCRIPTION)
    read_only: StrictBool = False
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    metadata: dict[str, Any] | None = None

    def settings(self) -> BlockSettings:
        """What surrounds the text."""
        return BlockSettings(
            label=self.label, description=self.description or "", limit=self.limit, read_only=self.read_only
        )

    def own(self) -> dict[str, Any]:
        """What memweb only keeps."""
        return {"tags": self.tags or [], "metadata": self.metadata or {}}


class BlockUpdate(Body):
    """What is not given stays. With `from_revision`, a `value` that was made from an older revision is refused: 409."""

    NOT_SUPPORTED: ClassVar = UNKNOWN_HERE

    label: str | None = Field(None, min_length=1, max_length=LONGEST_LABEL)
    value: str | None = Field(None, max_length=LONGEST_TEXT)
    limit: int | None = Field(None, ge=1, le=LARGEST_LIMIT)
    description: str | None = Field(None, max_length=LONGEST_DESCRIPTION)
    read_only: StrictBool | None = None
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    metadata: dict[str, Any] | None = None
    from_revision: int | None = Field(None, ge=1, le=2**31 - 1)


class BlockListing(Listing):
    """Blocks, oldest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset("identifier_keys identity_id project_id templates_only".split())

    label: Name | None = None
    name: Name | None = None
    label_search: Text | None = None
    value_search: Text | None = None
    description_search: Text | None = None
    tags: list[Name] | None = Field(None, max_length=MOST_NAMES)
    match_all_tags: bool = False
    connected_to_agents_count_eq: list[int] | None = None
    connected_to_agents_count_gt: int | None = Field(None, ge=0, le=10**6)
    connected_to_agents_count_lt: int | None = Field(None, ge=0, le=10**6)


@router.get("/blocks", response=list[BlockOut])
@only_known
def block_list(request: HttpRequest, asked: Query[BlockListing]) -> HttpResponse:
    """The person's blocks, whichever agents have them."""
    rows = owned_by(Block, person(request))
    wanted = {
        "label": asked.label or asked.name,
        "label__icontains": asked.label_search,
        "value__icontains": asked.value_search,
        "description__icontains": asked.description_search,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    rows = with_tags(rows, asked.tags, all_of_them=asked.match_all_tags)
    counts = {
        "used__in": asked.connected_to_agents_count_eq,
        "used__gt": asked.connected_to_agents_count_gt,
        "used__lt": asked.connected_to_agents_count_lt,
    }
    if counts := {name: value for name, value in counts.items() if value is not None}:
        counted = Block.objects.annotate(used=Count("agents")).filter(**counts)
        rows = rows.filter(pk__in=counted.values("pk"))
    return answer([shapes.block(row) for row in page_of(rows, asked, "block", newest_first=False)])


def with_tags(rows: Any, tags: list[str] | None, *, all_of_them: bool) -> Any:
    """Those of `rows` that have one of the tags, or all of them."""
    if not tags:
        return rows
    if all_of_them:
        return rows.filter(tags__contains=tags)
    some = rows.none()
    for tag in tags:
        some |= rows.filter(tags__contains=[tag])
    return some


@router.post("/blocks", response=BlockOut)
@only_known
def block_create(request: HttpRequest, payload: BlockCreate) -> HttpResponse:
    """Make a block; attach it to agents that should have it."""
    with transaction.atomic():
        row = services.block_create(owner=person(request), settings=payload.settings(), value=payload.value)
        services.block_note(block=row, **payload.own())
    return answer(shapes.block(row))


@router.get("/blocks/{block_id}", response=BlockOut)
@only_known
def block_retrieve(request: HttpRequest, block_id: str) -> HttpResponse:
    """One block."""
    return answer(shapes.block(row_for(request, Block, "block", block_id)))


@router.patch("/blocks/{block_id}", response=BlockOut)
@only_known
def block_update(request: HttpRequest, block_id: str, payload: BlockUpdate) -> HttpResponse:
    """Change a block. A new text is a revision with the person as its editor, for every agent that has the block."""
    return answer(shapes.block(updated(request, row_for(request, Block, "block", block_id), payload)))


def updated(request: HttpRequest, row: Block, payload: BlockUpdate) -> Block:
    """All of it or nothing. Raises BlockOverLimit, StaleEdit, InvalidInput."""
    given = payload.model_dump(exclude_none=True)
    value, from_revision = given.pop("value", None), given.pop("from_revision", row.revision)
    own = {name: given.pop(name) for name in ("tags", "metadata") if name in given}
    wider = given.get("limit", 0) > row.limit
    if value is not None and len(value) > given.get("limit", row.limit):
        raise BlockOverLimit(row.label, len(value), given.get("limit", row.limit))
    with transaction.atomic():
        if value is not None and not wider:
            row = services.block_edit(block=row, value=value, from_revision=from_revision, editor=person(request))
        if given:
            row = services.block_describe(block=row, settings=BlockSettings(**{**vars(BlockSettings.of(row)), **given}))
        if value is not None and wider:
            row = services.block_edit(block=row, value=value, from_revision=from_revision, editor=person(request))
        if own:
            services.block_note(block=row, **own)
    return row


@router.delete("/blocks/{block_id}", response=dict)
@only_known
def block_delete(request: HttpRequest, block_id: str) -> HttpResponse:
    """Delete a block with its history, for every agent that has it."""
    services.block_delete(block=row_for(request, Block, "block", block_id))
    return answer({})


class Relations(Listing):
    """Agents; `include` is taken and changes nothing: each comes whole."""

    NOT_SUPPORTED: ClassVar = frozenset({"include_relationships"})

    include: list[Name] | None = Field(None, max_length=MOST_NAMES)


@router.get("/blocks/{block_id}/agents", response=list[dict[str, Any]])
@only_known
def block_agents(request: HttpRequest, block_id: str, asked: Query[Relations]) -> HttpResponse:
    """The agents that have a block."""
    rows = owned_by(Agent, person(request)).filter(blocks=row_for(request, Block, "block", block_id))
    rows = rows.select_related("summary", "archive")
    return answer(shapes.agents(agents_page(person(request), rows, asked)))


# Of an agent


def _labelled(request: HttpRequest, agent_id: str, label: str) -> Block:
    row = agent_for(request, agent_id).blocks.filter(label=label.replace("\x00", "")).first()
    if row is None:
        raise Unknown("block", label)
    return row


@router.get("/agents/{agent_id}/core-memory/blocks", response=list[BlockOut])
@only_known
def agent_block_list(request: HttpRequest, agent_id: str, asked: Query[Listing]) -> HttpResponse:
    """An agent's blocks."""
    rows = agent_for(request, agent_id).blocks.all()
    return answer([shapes.block(row) for row in page_of(rows, asked, "block", newest_first=False)])


@router.get("/agents/{agent_id}/core-memory/blocks/{block_label}", response=BlockOut)
@only_known
def agent_block_retrieve(request: HttpRequest, agent_id: str, block_label: str) -> HttpResponse:
    """An agent's block of that label."""
    return answer(shapes.block(_labelled(request, agent_id, block_label)))


@router.patch("/agents/{agent_id}/core-memory/blocks/{block_label}", response=BlockOut)
@only_known
def agent_block_update(request: HttpRequest, agent_id: str, block_label: str, payload: BlockUpdate) -> HttpResponse:
    """Change an agent's block of that label, as a person does."""
    return answer(shapes.block(updated(request, _labelled(request, agent_id, block_label), payload)))


@router.patch("/agents/{agent_id}/core-memory/blocks/attach/{block_id}", response=dict)
@only_known
def agent_block_attach(request: HttpRequest, agent_id: str, block_id: str) -> HttpResponse:
    """Give the agent a block; one that it has already stays."""
    agent, row = agent_for(request, agent_id), row_for(request, Block, "block", block_id)
    if not agent.blocks.filter(pk=row.pk).exists():
        services.block_share(block=row, agent=agent)
    return answer(shapes.agent(agent))


@router.patch("/agents/{agent_id}/core-memory/blocks/detach/{block_id}", response=dict)
@only_known
def agent_block_detach(request: HttpRequest, agent_id: str, block_id: str) -> HttpResponse:
    """Take a block from the agent; the block stays."""
    agent = agent_for(request, agent_id)
    services.block_detach(agent=agent, block=row_for(request, Block, "block", block_id))
    return answer(shapes.agent(agent))

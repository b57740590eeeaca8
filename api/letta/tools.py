"""Functions that agents can call, which Letta calls tools. Code is installed by the operator, not sent."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import BaseModel, Field

from agents import services
from agents.functions import toolset
from agents.functions.registry import Offered
from agents.llm.types import Role
from agents.models import Agent
from api.access import agent_for, person
from api.answers import answer
from api.asked import MOST_NAMES, Listing, Name, only_known
from api.asked import Query as Text
from api.errors import Conflict, Unknown
from api.letta import shapes
from api.letta.shapes import Shape

router = Router(tags=["tools"])


class ToolOut(BaseModel):
    """A function. `json_schema` is what the model is told of it."""

    id: str
    name: str
    description: str
    json_schema: dict[str, Any]
    tool_type: str


class ToolListing(Listing):
    """Functions, in the order in which the model is told of them; newest is the last."""

    NOT_SUPPORTED: ClassVar = frozenset({"return_only_letta_tools", "exclude_tool_types"})

    name: Name | None = None
    names: list[Name] | None = Field(None, max_length=MOST_NAMES)
    tool_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)
    tool_types: list[Name] | None = Field(None, max_length=MOST_NAMES)
    search: Text | None = None


def _listed(functions: list[Offered], asked: Listing) -> list[Shape]:
    rows = [shapes.tool(function) for function in functions]
    rows = rows[::-1] if asked.order == "desc" else rows
    ids = [row["id"] for row in rows]
    for cursor in filter(None, (asked.after, asked.before)):
        if cursor not in ids:
            raise Unknown("tool", cursor)
    start = ids.index(asked.after) + 1 if asked.after else 0
    end = ids.index(asked.before) if asked.before else len(rows)
    return rows[start:end][: asked.limit or 50]


@router.get("/tools", response=list[ToolOut])
@only_known
def tool_list(request: HttpRequest, asked: Query[ToolListing]) -> HttpResponse:
    """The functions of this installation."""
    functions = list(toolset.there_are(person(request).pk).values())
    names = [*([asked.name] if asked.name else []), *(asked.names or [])]
    if names:
        functions = [f for f in functions if f.schema.name in names]
    if asked.tool_ids:
        functions = [f for f in functions if f"tool-{f.schema.name}" in asked.tool_ids]
    if asked.tool_types:
        functions = [f for f in functions if shapes.tool(f)["tool_type"] in asked.tool_types]
    if asked.search:
        functions = [f for f in functions if asked.search.lower() in f"{f.schema.name} {f.schema.description}".lower()]
    return answer(_listed(functions, asked))


@router.get("/tools/{tool_id}", response=ToolOut)
@only_known
def tool_retrieve(request: HttpRequest, tool_id: str) -> HttpResponse:
    """One function."""
    return answer(shapes.tool(_function(request, tool_id)))


def _function(request: HttpRequest, tool_id: str) -> Offered:
    there = toolset.there_are(person(request).pk)
    function = there.get(tool_id.removeprefix("tool-")) if tool_id.startswith("tool-") else None
    if function is None:
        raise Unknown("tool", tool_id)
    return function


@router.get("/agents/{agent_id}/tools", response=list[ToolOut])
@only_known
def agent_tool_list(request: HttpRequest, agent_id: str, asked: Query[Listing]) -> HttpResponse:
    """What the agent may call."""
    return answer(_listed(list(toolset.of(agent_for(request, agent_id)).functions.values()), asked))


@router.patch("/agents/{agent_id}/tools/attach/{tool_id}", response=dict)
@only_known
def agent_tool_attach(request: HttpRequest, agent_id: str, tool_id: str) -> HttpResponse:
    """Offer the agent a function."""
    return _changed(agent_for(request, agent_id), _function(request, tool_id), attached=True)


@router.patch("/agents/{agent_id}/tools/detach/{tool_id}", response=dict)
@only_known
def agent_tool_detach(request: HttpRequest, agent_id: str, tool_id: str) -> HttpResponse:
    """Offer the agent a function no more. It keeps `send_message`: it could not speak without."""
    return _changed(agent_for(request, agent_id), _function(request, tool_id), attached=False)


def _changed(agent: Agent, function: Offered, *, attached: bool) -> HttpResponse:
    if function.role == Role.SPEAKS and not attached:
        raise Conflict(_("Without %(function)s an agent cannot speak.") % {"function": function.schema.name})
    services.function_switch(agent=agent, name=function.schema.name, on=attached)
    return answer(shapes.agent(agent))

"""`models` and `chat/completions`: an agent as a model."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from agents.access import owned_by
from agents.models import Agent, Run
from api.access import person
from api.answers import PING, answer, data, event_stream, read
from api.asked import Body, Name, only_known
from api.errors import NotSupported, RunFailed
from api.ids import written
from api.letta.following import outcome
from api.letta.shapes import Shape
from api.openai.answering import agent_called, in_time, last_said, reply, reply_pieces, told, usage_of

router = Router(tags=["openai"])


class Models(BaseModel):
    """The person's agents."""

    object: str
    data: list[dict[str, Any]]


@router.get("/models", response=Models)
@only_known
def model_list(request: HttpRequest) -> HttpResponse:
    """The person's agents, each as a model that is called as the agent."""
    agents = owned_by(Agent, person(request)).order_by("-last_active_at")
    return answer({"object": "list", "data": [_model(agent) for agent in agents]})


@router.get("/models/{model}", response=dict[str, Any])
@only_known
def model_retrieve(request: HttpRequest, model: str) -> HttpResponse:
    """One agent, by its name or id."""
    return answer(_model(agent_called(request, model)))


def _model(agent: Agent) -> Shape:
    return {"id": agent.name, "object": "model", "created": int(agent.created_at.timestamp()), "owned_by": "memweb"}


class StreamOptions(BaseModel):
    """Whether a stream ends with what it took."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class Asking(Body):
    """What both ways to ask have. Everything else that OpenAI's API knows (sampling, limits, the caller's own marks) is
    taken and changes nothing: the agent has its own settings."""

    model_config = ConfigDict(extra="ignore")
    NOT_SUPPORTED: ClassVar = frozenset({"tools", "functions", "audio", "background", "prompt", "conversation"})

    model: Name = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with what it took."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatCreate(Asking):
    """A conversation of which the agent is told the last message of the user."""

    messages: list[dict[str, Any]] = Field(min_length=1)
    n: int | None = Field(1, ge=1)
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None

    def check(self) -> None:
        """Raises NotSupported for what an agent cannot do."""
        if (self.n or 1) > 1:
            raise NotSupported("`n` > 1", _("An agent answers once."))
        if self.response_format and self.response_format.get("type") != "text":
            raise NotSupported("`response_format`")
        if self.modalities and self.modalities != ["text"]:
            raise NotSupported("`modalities`")


@router.post("/chat/completions", response=dict[str, Any])
@only_known
async def chat_create(request: HttpRequest, payload: ChatCreate) -> HttpResponseBase:
    """Say the last message of the user to the agent. Earlier messages and system messages are not stored again."""
    payload.check()
    agent, run = await read(told, request, payload.model, last_said(payload.messages, "messages"))
    if payload.stream:
        return event_stream(_stream(agent, run, payload))
    return await in_time(_completion(agent, run, payload.model))


def _head(run: Run, model: str, kind: str) -> Shape:
    created = int(run.created_at.timestamp())
    return {"id": f"chatcmpl-{written('run', run.pk)}", "object": kind, "created": created, "model": model}


async def _completion(agent: Agent, run: Run, model: str) -> Shape:
    said = await reply(agent, run)
    message = {"role": "assistant", "content": said.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**_head(run, model, "chat.completion"), "choices": [choice], "usage": usage_of(said.outcome)}


async def _stream(agent: Agent, run: Run, payload: ChatCreate) -> AsyncIterator[str]:
    head = _head(run, payload.model, "chat.completion.chunk")

    def chunk(delta: Shape, finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return data({**head, "choices": [choice]} | ({"usage": None} if payload.with_usage else {}))

    yield chunk({"role": "assistant", "content": ""})
    async for piece in reply_pieces(agent, run):
        yield PING if piece is None else chunk({"content": piece})
    end = await read(outcome, agent, [run.pk])
    if end.error:
        yield data({"error": RunFailed(end.error).as_openai()})
        return
    yield chunk({}, "stop")
    if payload.with_usage:
        yield data({**head, "choices": [], "usage": usage_of(end)})
    yield data("[DONE]")

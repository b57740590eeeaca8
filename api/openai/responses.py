"""`responses`: what OpenAI's newer API calls an answer. Every one to the same agent is of one conversation."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from agents.access import owned_by
from agents.models import Agent, Run
from api.access import person
from api.answers import PING, dumped, event_stream, read
from api.asked import LONGEST_TEXT, Name, only_known
from api.errors import NotSupported, RunFailed, Unknown
from api.ids import key_of, written
from api.letta.following import Outcome, outcome
from api.letta.shapes import Shape
from api.openai.answering import in_time, last_said, reply, reply_pieces, told
from api.openai.chat import Asking

router = Router(tags=["openai"])


class TextOptions(BaseModel):
    """How the text should look: plain."""

    model_config = ConfigDict(extra="ignore")

    format: dict[str, Any] | None = None


class ResponseCreate(Asking):
    """A text, or items of which the agent is told the last message of the user."""

    input: str | list[dict[str, Any]] = Field(max_length=LONGEST_TEXT)
    previous_response_id: Name | None = None
    text: TextOptions | None = None

    def said(self) -> str:
        """Raises Unfit, NotSupported."""
        if self.text and self.text.format and self.text.format.get("type", "text") != "text":
            raise NotSupported("`text.format`")
        return self.input if isinstance(self.input, str) else last_said(self.input, "input")


def _run(request: HttpRequest, response_id: str) -> Run:
    key = key_of("run", response_id.removeprefix("resp_"))
    run = owned_by(Run, person(request)).select_related("agent").filter(pk=key).first() if key is not None else None
    if run is None:
        raise Unknown("response", response_id)
    return run


def _told(request: HttpRequest, payload: ResponseCreate) -> tuple[Agent, Run]:
    if payload.previous_response_id:
        _run(request, payload.previous_response_id)
    return told(request, payload.model, payload.said())


@router.post("/responses", response=dict[str, Any])
@only_known
async def response_create(request: HttpRequest, payload: ResponseCreate) -> HttpResponseBase:
    """Say something to the agent."""
    agent, run = await read(_told, request, payload)
    if payload.stream:
        return event_stream(_stream(agent, run, payload))
    return await in_time(_response(agent, run, payload.model, payload.previous_response_id))


@router.get("/responses/{response_id}", response=dict[str, Any])
@only_known
async def response_retrieve(request: HttpRequest, response_id: str) -> HttpResponseBase:
    """An earlier response; one that is not ready yet is waited for."""
    run = await read(_run, request, response_id)
    return await in_time(_response(run.agent, run, run.agent.name, None))


async def _response(agent: Agent, run: Run, model: str, previous: str | None) -> Shape:
    said = await reply(agent, run)
    item = _item(run, said.text, "completed")
    return _shape(run, model, previous, "completed") | {"output": [item], "usage": _usage(said.outcome)}


def _shape(run: Run, model: str, previous: str | None, status: str) -> Shape:
    return {
        "id": f"resp_{written('run', run.pk)}",
        "object": "response",
        "created_at": int(run.created_at.timestamp()),
        "status": status,
        "model": model,
        "output": [],
        "previous_response_id": previous,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "temperature": None,
        "top_p": None,
        "usage": None,
    }


def _item(run: Run, text: str, status: str) -> Shape:
    content = [_part(text)] if status == "completed" else []
    return {"id": _item_id(run), "type": "message", "role": "assistant", "status": status, "content": content}


def _item_id(run: Run) -> str:
    return f"msg_{written('run', run.pk)}"


def _part(text: str) -> Shape:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(end: Outcome) -> Shape:
    figures = end.usage
    return {
        "input_tokens": figures["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": figures["cached_input_tokens"]},
        "output_tokens": figures["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": figures["total_tokens"],
    }


async def _stream(agent: Agent, run: Run, payload: ResponseCreate) -> AsyncIterator[str]:
    number = -1
    shape = _shape(run, payload.model, payload.previous_response_id, "in_progress")
    at = {"item_id": _item_id(run), "output_index": 0, "content_index": 0}
    text = ""

    def event(kind: str, **fields: Any) -> str:
        nonlocal number
        number += 1
        return f"event: {kind}\ndata: {dumped({'type': kind, 'sequence_number': number, **fields})}\n\n"

    yield event("response.created", response=shape)
    yield event("response.in_progress", response=shape)
    yield event("response.output_item.added", output_index=0, item=_item(run, "", "in_progress"))
    yield event("response.content_part.added", **at, part=_part(""))
    async for piece in reply_pieces(agent, run):
        if piece is None:
            yield PING
            continue
        text += piece
        yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
    end = await read(outcome, agent, [run.pk])
    if end.error:
        error = RunFailed(end.error).as_openai()
        failed = shape | {"status": "failed", "error": {"code": "server_error", "message": error["message"]}}
        yield event("response.failed", response=failed)
        return
    item = _item(run, text, "completed")
    yield event("response.output_text.done", **at, text=text, logprobs=[])
    yield event("response.content_part.done", **at, part=_part(text))
    yield event("response.output_item.done", output_index=0, item=item)
    done = shape | {"status": "completed", "output": [item], "usage": _usage(end)}
    yield event("response.completed", response=done)

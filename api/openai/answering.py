"""What chat completions and responses share: which agent is meant, what is said to it, and its reply as it comes.

A request carries the caller's copy of a conversation that the agent has anyway: only the last message of the user goes
to the agent. System messages and sampling options are taken and change nothing: the agent has its own.
"""

from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from agents import selectors
from agents.access import owned_by
from agents.models import Agent, Run
from api.access import agent_for, person
from api.answers import read, when_ready
from api.errors import NotSupported, RunFailed, Unfit, Unknown, answer_of, as_openai
from api.ids import uuid_of
from api.letta import following
from api.letta.following import Answering, Outcome
from api.letta.shapes import Shape
from api.sending import Outgoing, send

PATIENCE = 50.0  # seconds
TEXT_PARTS = ("text", "input_text", "output_text")


def agent_called(request: HttpRequest, model: str) -> Agent:
    """The person's agent of that name or id. Raises Unknown."""
    agent = owned_by(Agent, person(request)).select_related("summary", "archive").filter(name=model).first()
    if agent:
        return agent
    if uuid_of(model):
        return agent_for(request, model)
    raise Unknown("agent", model)


def last_said(items: Sequence[dict[str, Any]], field: str) -> str:
    """The text of the last message of the user in that field. Raises Unfit, NotSupported."""
    for item in reversed(items):
        if item.get("role") == "user" and item.get("type", "message") == "message":
            return _text(item.get("content"), field)
    raise Unfit(field, _("There is no message of the user to answer."))


def _text(content: Any, field: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content or not all(isinstance(part, dict) for part in content):
        raise Unfit(field, _("The content of a message is a text, or a list of parts."))
    texts = []
    for part in content:
        if part.get("type") not in TEXT_PARTS:
            raise NotSupported(_("content of the type “%(type)s”: send text") % {"type": str(part.get("type"))[:40]})
        if not isinstance(part.get("text"), str):
            raise Unfit(field, _("The content of a message is a text, or a list of parts."))
        texts.append(part["text"])
    return "\n".join(texts)


def told(request: HttpRequest, model: str, text: str) -> tuple[Agent, Run]:
    """Say it to the agent. Raises Unknown, InvalidInput."""
    agent = agent_called(request, model)
    return agent, send(request, agent, [Outgoing(text)])[0]


async def in_time(work: Coroutine[Any, Any, Shape]) -> HttpResponseBase:
    """The answer as JSON. OpenAI's clients wait ten minutes, so a status that tells of a failure may take its time; who
    gives up after a minute hears something before."""
    return await when_ready(work, patience=PATIENCE, refused=lambda error: as_openai(answer_of(error)))


@dataclass(frozen=True)
class Reply:
    """What the agent said, and what that took."""

    text: str
    outcome: Outcome


async def reply(agent: Agent, run: Run) -> Reply:
    """Wait for the run. Raises RunFailed: the message was taken, and is not to be sent again."""
    response = await following.response(Answering(agent, [run.pk]), {"assistant_message"})
    text = "\n\n".join(message["content"] for message in response["messages"])
    outcome = await read(following.outcome, agent, [run.pk])
    if outcome.error:
        raise RunFailed(outcome.error)
    return Reply(text or await read(_asks, agent, run), outcome)


def _asks(agent: Agent, run: Run) -> str:
    """What is said in place of a reply while a call waits for a yes: this protocol cannot ask. Empty otherwise."""
    waiting = selectors.calls_asked(agent).filter(step__run=run).values_list("function", flat=True)
    if not waiting:
        return ""
    return _("(I wait for your yes before I call %(functions)s. Say it in memweb.)") % {"functions": ", ".join(waiting)}


async def reply_pieces(agent: Agent, run: Run) -> AsyncIterator[str | None]:
    """The reply as it comes; None in place of a long silence. What is said after a pause begins a new paragraph."""
    last = None
    async for message in following.pieces(Answering(agent, [run.pk]), tokens=True):
        if message is None:
            yield None
        elif message["message_type"] == "assistant_message":
            yield message["content"] if last in (None, message["id"]) else f"\n\n{message['content']}"
            last = message["id"]
    if last is None and (sentence := await read(_asks, agent, run)):
        yield sentence


def usage_of(outcome: Outcome) -> Shape:
    """As chat completions tell it."""
    figures = outcome.usage
    return {
        "prompt_tokens": figures["prompt_tokens"],
        "completion_tokens": figures["completion_tokens"],
        "total_tokens": figures["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": figures["cached_input_tokens"]},
    }

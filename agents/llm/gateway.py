"""The LLM gateway: the `openai` client against any OpenAI-compatible base URL.

The engine is synchronous; the HTTP stream is read in a private event loop so that a silent server can be left at once:
while nothing arrives, `check` is called a few times a second, and whatever it raises closes the connection, which is
what makes a model server stop generating.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx2
import openai
from django.conf import settings
from django.utils.translation import gettext as _
from openai import AsyncOpenAI

from agents.exceptions import ContextOverflow, LLMError
from agents.llm import guided, json_schema_mode, tools_mode
from agents.llm.chunk import CallPiece, Chunk
from agents.llm.types import ChatMessage, Completion, Delta, Prompt, Usage
from agents.models import Agent
from agents.text.clean import storable

T = TypeVar("T")
Check = Callable[[], None]

CHECK_SECONDS = 0.25
LOCAL_START_SECONDS = 1800  # downloading weights on a slow line
MAX_RETRIES = 3  # before the first delta; with backoff, by the client


@dataclass(frozen=True)
class ModelConfig:
    """Where and how to ask. `context_window` and `reply_reserve` are in tokens, `timeout` in seconds of silence."""

    name: str
    base_url: str | None
    api_key: str
    mode: str
    context_window: int
    timeout: float
    local: bool

    @property
    def reply_reserve(self) -> int:
        """Tokens of the window that stay free for the answer."""
        return min(4096, self.context_window // 8)


def config_of(agent: Agent) -> ModelConfig:
    """The configured endpoint, with what the agent wants otherwise."""
    return model_config(model=agent.model, mode=agent.function_mode, context_window=agent.context_window)


def model_config(*, model: str = "", mode: str = "auto", context_window: int | None = None) -> ModelConfig:
    """The configured endpoint; what is given here goes before its defaults."""
    llm = settings.LLM
    return ModelConfig(
        name=model or llm.model,
        base_url=llm.base_url,
        api_key=llm.api_key,
        mode=llm.mode if mode == "auto" else mode,
        context_window=context_window or llm.context_window,
        timeout=llm.timeout,
        local=llm.local,
    )


def stream(prompt: Prompt, config: ModelConfig, *, check: Check) -> Iterator[Delta | Completion]:
    """One answer of the model, piece by piece; the last item is the `Completion`.

    Raises LLMError, ContextOverflow, and whatever `check` raises. Closing the generator ends the request.
    """
    endpoint = _Endpoint(config, check)
    if config.mode == "guided":
        yield from guided.stream(prompt, endpoint.raw_chat)
    elif config.mode == "json_schema":
        yield from json_schema_mode.stream(prompt, endpoint.chat)
    else:
        yield from tools_mode.stream(prompt, endpoint.chat)


def complete(messages: list[ChatMessage], config: ModelConfig, *, max_tokens: int, check: Check) -> str:
    """One plain answer, whole (for summaries). Raises as `stream`."""
    own_slot = {"extra_body": {"id_slot": len(guided.SLOTS)}} if config.mode == "guided" else {}
    chunks = _Endpoint(config, check, patient=False).chat(messages, max_tokens=max_tokens, **own_slot)
    return "".join(chunk.content for chunk in chunks).strip()


@dataclass(frozen=True)
class _Endpoint:
    """The one place that talks to the endpoint."""

    config: ModelConfig
    check: Check
    patient: bool = True  # wait for a local model that is still being fetched or loaded

    def chat(self, messages: list[ChatMessage], **options: Any) -> Iterator[Chunk]:
        """`StreamChat`: one chat completion."""
        config = self.config
        request = {"model": config.name, "messages": messages, "stream": True, **options}
        request.setdefault("max_tokens", config.reply_reserve)
        request["stream_options"] = {"include_usage": True}
        loop = asyncio.new_event_loop()
        wait = partial(_wait, loop, self.check)
        # made for the loop that uses it: connections belong to one loop
        client = AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, timeout=config.timeout, max_retries=MAX_RETRIES
        )
        started = time.monotonic()
        try:
            answer = wait(_open(client, request, patient=self.patient and config.local))
            try:
                pieces = aiter(answer)
                while (piece := wait(anext(pieces, None))) is not None:
                    yield _chunk(piece, time.monotonic() - started)
            finally:
                loop.run_until_complete(answer.close())
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            # the client lets transport errors and broken JSON in the middle of a stream through as they are
            raise explain(error, config) from error
        finally:
            loop.run_until_complete(client.close())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def raw_chat(
        self,
        messages: list[ChatMessage],
        *,
        max_tokens: int,
        slot: int,
        json_schema: dict[str, Any] | None = None,
        grammar: str | None = None,
    ) -> Iterator[str | Usage]:
        """`RawChat`: for modes that build their own prompts for a llama.cpp server."""
        extra: dict[str, Any] = {"id_slot": slot, "cache_prompt": True}
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 0, "extra_body": extra}
        if grammar:
            extra["grammar"] = grammar
        if json_schema:
            schema = {"name": "answer", "strict": True, "schema": json_schema}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        usage = Usage()
        for chunk in self.chat(messages, **options):
            usage = chunk.usage or usage
            if chunk.content:
                yield chunk.content
        yield usage


async def _open(client: AsyncOpenAI, request: dict[str, Any], *, patient: bool) -> Any:
    """Start the stream. `patient`: the local server may still be loading its weights."""
    deadline = time.monotonic() + LOCAL_START_SECONDS
    while True:
        try:
            return await client.chat.completions.create(**request)
        except openai.BadRequestError as error:
            adapted = _adapted(request, str(error))
            if adapted is None:
                raise
            request = adapted
        except (openai.APIConnectionError, openai.InternalServerError) as error:
            timed_out = isinstance(error, openai.APITimeoutError)
            if not patient or timed_out or time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


def _adapted(request: dict[str, Any], complaint: str) -> dict[str, Any] | None:
    """The request in the words of a server that does not know one of ours; None if that is not the trouble."""
    if "tool_choice" in complaint and request.get("tool_choice") == "required":
        return {**request, "tool_choice": "auto"}
    if "max_tokens" in complaint and "max_tokens" in request:
        rest = {name: value for name, value in request.items() if name != "max_tokens"}
        return {**rest, "max_completion_tokens": request["max_tokens"]}
    if "stream_options" in complaint and "stream_options" in request:
        return {name: value for name, value in request.items() if name != "stream_options"}
    return None


def _wait(loop: asyncio.AbstractEventLoop, check: Check, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, calling `check` while it takes its time; when `check` raises, `work` is cancelled."""
    task = loop.create_task(work)
    try:
        while not task.done():
            loop.run_until_complete(asyncio.wait({task}, timeout=CHECK_SECONDS))
            check()
    except BaseException:
        task.cancel()
        loop.run_until_complete(asyncio.wait({task}))
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain of it
        raise
    return task.result()


def _chunk(piece: Any, at: float) -> Chunk:
    """The server's chunk in our form; fields beyond OpenAI's own are read where servers put them."""
    usage = piece.usage and Usage(
        prompt=piece.usage.prompt_tokens or 0,
        completion=piece.usage.completion_tokens or 0,
        cached=getattr(piece.usage.prompt_tokens_details, "cached_tokens", None) or 0,
    )
    if not piece.choices:
        return Chunk(at=at, usage=usage, model=piece.model or "")
    choice = piece.choices[0]
    delta = choice.delta
    calls = tuple(
        CallPiece(
            index=call.index or 0,
            id=(call.id or "")[:120],
            name=storable((call.function and call.function.name) or ""),
            arguments=storable((call.function and call.function.arguments) or ""),
        )
        for call in delta.tool_calls or ()
    )
    return Chunk(
        at=at,
        reasoning=storable(getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""),
        content=storable(delta.content or ""),
        calls=calls,
        finish_reason=choice.finish_reason or "",
        usage=usage,
        model=piece.model or "",
    )


OVERFLOW_WORDS = (
    "context_length",
    "context length",
    "context size",
    "maximum context",
    "too many tokens",
    "context window",
)


def explain(error: Exception, config: ModelConfig) -> LLMError:
    """The client's or transport's error in plain words with a way out."""
    where = {"where": config.base_url or _("the OpenAI API"), "model": config.name}
    text = {**where, "text": str(error)[:300]}
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        details = {**where, "seconds": f"{config.timeout:g}"}
        return LLMError(_("%(where)s gave no answer for %(seconds)s seconds.") % details, retryable=True)
    if isinstance(error, openai.APIConnectionError):
        sentence = _("%(where)s cannot be reached. Is the server running, and is OPENAI_BASE_URL right?")
        return LLMError(sentence % where, retryable=True)
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return LLMError(_("%(where)s refused the key. Check OPENAI_API_KEY in .env and start memweb again.") % where)
    if isinstance(error, openai.NotFoundError):
        sentence = _("%(where)s knows no model “%(model)s”. Set MEMWEB_MODEL or the agent's model to one it has.")
        return LLMError(sentence % where)
    if isinstance(error, openai.RateLimitError):
        sentence = _("%(where)s is refusing for now: the rate limit or the credit is used up.")
        return LLMError(sentence % where, retryable=True)
    if isinstance(error, openai.APIError) and any(word in str(error).lower() for word in OVERFLOW_WORDS):
        return ContextOverflow(_("%(where)s says the prompt is too long for %(model)s.") % where)
    if isinstance(error, openai.APIStatusError):
        sentence = _("%(where)s answered with an error %(status)s: %(text)s")
        return LLMError(sentence % {**text, "status": error.status_code}, retryable=True)
    return LLMError(_("%(where)s failed while answering: %(text)s") % text, retryable=True)

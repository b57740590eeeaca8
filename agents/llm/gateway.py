"""The LLM gateway: a prompt to any OpenAI-compatible endpoint, its answer in one form, its errors in plain words."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from agents.llm import guided, json_schema_mode, tools_mode
from agents.llm.chunk import CallPiece, Chunk
from agents.llm.types import ChatMessage, Completion, Delta, Prompt, Usage
from agents.models import Agent
from agents.text.clean import storable

Check = Callable[[], None]

LOCAL_AT_ONCE = 4  # requests that the local model's server works on


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
    """The configured endpoint, as the modes ask it."""

    config: ModelConfig
    check: Check
    patient: bool = True  # wait for a local model that is still being fetched or loaded

    def chat(self, messages: list[ChatMessage], **options: Any) -> Iterator[Chunk]:
        """`StreamChat`: one chat completion. `extra_body` holds fields that OpenAI's own API does not know."""
        config = self.config
        request = {"model": config.name, "messages": messages, "stream": True, **options}
        request |= request.pop("extra_body", {})
        request.setdefault("max_tokens", config.reply_reserve)
        request["stream_options"] = {"include_usage": True}
        from agents.llm import connection, errors  # here: they load the client, which few programs need

        endpoint = connection.Endpoint(
            config.base_url,
            config.api_key,
            config.timeout,
            patient=self.patient and config.local,
            at_once=LOCAL_AT_ONCE if config.local else 0,
        )
        started = time.monotonic()
        pieces = connection.stream(request, endpoint, check=self.check)
        try:
            for piece, at in pieces:
                yield _chunk(piece, at - started)
        except errors.FAULTS as error:
            raise errors.explain(error, config) from error
        finally:
            pieces.close()  # type: ignore[attr-defined]

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


def _chunk(piece: Any, at: float) -> Chunk:
    """The server's piece in our form. What is absent, null or of another type than it should be counts as absent."""
    piece = _mapping(piece)
    model, usage = _text(piece.get("model")), _usage(piece.get("usage"))
    choices = _mappings(piece.get("choices"))
    if not choices:
        return Chunk(at=at, usage=usage, model=model)
    delta = _mapping(choices[0].get("delta"))
    return Chunk(
        at=at,
        reasoning=_text(delta.get("reasoning_content")) or _text(delta.get("reasoning")),
        content=_text(delta.get("content")),
        calls=tuple(_call(call) for call in _mappings(delta.get("tool_calls"))),
        finish_reason=_text(choices[0].get("finish_reason")),
        usage=usage,
        model=model,
    )


def _call(call: dict[str, Any]) -> CallPiece:
    function = _mapping(call.get("function"))
    return CallPiece(
        index=_number(call.get("index")),
        id=_text(call.get("id"))[:120],
        name=_text(function.get("name")),
        arguments=_text(function.get("arguments")),
    )


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    return Usage(
        prompt=_number(value.get("prompt_tokens")),
        completion=_number(value.get("completion_tokens")),
        cached=_number(_mapping(value.get("prompt_tokens_details")).get("cached_tokens")),
    )


def _text(value: Any) -> str:
    return storable(value) if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

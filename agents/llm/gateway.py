"""The LLM gateway: a prompt to any OpenAI-compatible endpoint, its answer in one form, its errors in plain words."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm import adapting, guided, json_schema_mode, pictures, tools_mode
from agents.llm.chunk import Chunk
from agents.llm.reading import AnswerReader
from agents.llm.secrets import Secrets
from agents.llm.types import (
    REQUEST_HEARTBEAT,
    SEND_MESSAGE,
    ChatMessage,
    Completion,
    Delta,
    FunctionCall,
    Prompt,
    Usage,
    merged,
)
from agents.models import Agent, Connection
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.sealing import Unreadable
from agents.telemetry import metrics, traces
from agents.text import framing
from memweb.stack.env import LLMSettings, env
from memweb.stack.wishes import followed

if TYPE_CHECKING:
    from agents.llm import connection

Check = Callable[[], None]

LOCAL_AT_ONCE = 4  # requests that the local model's server works on
OPENAI = "https://api.openai.com/v1"
USUAL_WINDOW = 16_384  # tokens, where nobody knows
MOST_WINDOW = 32_768  # tokens of a server's window that are used unless somebody wants more


@dataclass(frozen=True)
class ModelConfig:
    """Where and how to ask. `context_window` and `reply_reserve` are in tokens, `timeout` in seconds of silence.

    `secrets` are those of a connection, sealed; `connection` is its name, empty for the configured endpoint.
    """

    name: str
    base_url: str | None
    api_key: str = field(repr=False)
    mode: str
    context_window: int
    timeout: float
    local: bool
    reply_tokens: int | None = None
    connection: str = ""
    secrets: str = field(default="", repr=False)
    public_only: bool = False
    temperature: float | None = None
    reasoning_effort: str = ""
    sees: bool = False
    tried_once: bool = False  # and not again where it fails before the first byte

    @property
    def reply_reserve(self) -> int:
        """Tokens of the window that stay free for the answer; at most half of it."""
        return min(self.reply_tokens or min(4096, self.context_window // 8), self.context_window // 2)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return (self.base_url or OPENAI).rstrip("/")

    @property
    def server(self) -> str:
        """The model and where it is, to be told from others."""
        return f"{self.name} {self.base_url or ''}".strip()

    def unsealed(self) -> Secrets:
        """The key and the headers to send. Raises LLMError where they were sealed with another secret key."""
        try:
            return Secrets.of(self.secrets) if self.secrets else Secrets(self.api_key)
        except Unreadable as error:
            sentence = _("The key of “%(name)s” was stored with another secret key. Enter it again under Connections.")
            raise LLMError(sentence % {"name": self.connection}) from error


def config_of(agent: Agent) -> ModelConfig:
    """What the agent is to ask, with what it wants otherwise. One query where it has a connection of its own."""
    config = _config(_own(agent, agent.connection), agent.model, agent.function_mode, agent.context_window)
    return replace(
        config,
        reply_tokens=agent.reply_tokens or config.reply_tokens,
        temperature=agent.temperature,
        reasoning_effort=agent.reasoning_effort,
    )


def summary_config_of(agent: Agent) -> ModelConfig:
    """What is to write its summaries: the agent's own model, unless another was chosen for that."""
    if not agent.summary_model:
        return config_of(agent)
    return _config(_own(agent, agent.summary_connection), agent.summary_model, "auto", None)


def _own(agent: Agent, connection: Connection | None) -> Connection | None:
    """None for another person's, which an agent can be left with when its owner changes."""
    return connection if connection and connection.owner_id in (None, agent.owner_id) else None


def _config(connection: Connection | None, model: str, mode: str, context_window: int | None) -> ModelConfig:
    if connection is None:
        return model_config(model=model, mode=mode, context_window=context_window)
    return connected(connection, model, mode=mode, context_window=context_window)


def configured() -> LLMSettings:
    """The endpoint of the settings, with the local model that was chosen in the page: in every process at once."""
    llm: LLMSettings = settings.LLM
    return followed(llm, settings.PATHS, env())


def model_config(*, model: str = "", mode: str = "auto", context_window: int | None = None) -> ModelConfig:
    """The configured endpoint; what is given here goes before its defaults."""
    llm = configured()
    return ModelConfig(
        name=model or llm.model,
        base_url=llm.base_url,
        api_key=llm.api_key,
        mode=llm.mode if mode == "auto" else mode,
        context_window=context_window or llm.context_window,
        timeout=llm.timeout,
        local=llm.local,
        reply_tokens=llm.reply_tokens,
        sees=not llm.local,
    )


def connected(
    connection: Connection, model: str, *, mode: str = "auto", context_window: int | None = None
) -> ModelConfig:
    """A model at a connection; what is given here goes before what was found out about it.

    A window that the server tells is used up to MOST_WINDOW: each message costs all that stands in it.
    """
    facts = connection.facts_of(model)
    found = max(MIN_CONTEXT_WINDOW, min(facts.window or USUAL_WINDOW, MOST_WINDOW))
    return ModelConfig(
        name=model,
        base_url=connection.base_url,
        api_key="",
        mode=(facts.mode or "tools") if mode == "auto" else mode,
        context_window=context_window or found,
        timeout=connection.timeout,
        local=False,
        connection=connection.name,
        secrets=connection.secrets,
        public_only=connection.public_only,
        sees=facts.sees is not False,
    )


def stream(prompt: Prompt, config: ModelConfig, *, check: Check) -> Iterator[Delta | Completion]:
    """One answer of the model, piece by piece; the last item is the `Completion`.

    A model that calls no functions is asked by JSON schema from then on. Raises LLMError, ContextOverflow, and whatever
    `check` raises. Closing the generator ends the request.
    """
    endpoint = _Endpoint(config, check, prompt_tokens=prompt.tokens)
    if config.mode == "guided":
        yield from guided.stream(prompt, endpoint.raw_chat)
        return
    ways = adapting.ways_of(config.base_url, config.name)
    if config.mode == "tools" and not ways.without_tools:
        try:
            yield from _judged(tools_mode.stream(prompt, endpoint.chat), prompt, config)
            return
        except _NoTools:
            ways.without_tools = True
    yield from _judged(json_schema_mode.stream(prompt, endpoint.chat), prompt, config)


def _judged(pieces: Iterator[Delta | Completion], prompt: Prompt, config: ModelConfig) -> Iterator[Delta | Completion]:
    """The answer, its end with what it tells of the server. Raises LLMError for one that was all thinking."""
    for piece in pieces:
        yield _with_remarks(piece, prompt, config) if isinstance(piece, Completion) else piece


def _with_remarks(answer: Completion, prompt: Prompt, config: ModelConfig) -> Completion:
    ways = adapting.ways_of(config.base_url, config.name)
    names = {"where": config.base_url or _("the OpenAI API"), "model": config.name}
    if not answer.calls and answer.finish_reason == "length" and answer.inner_monologue and not answer.text:
        raise _all_thinking(config, ways, names, prompt.tokens)
    remarks = []
    chosen_by_itself = config.mode == "tools" and ways.without_tools
    if answer.text and not answer.calls and chosen_by_itself:
        message = {"message": answer.text, REQUEST_HEARTBEAT: False}
        answer = replace(answer, calls=(FunctionCall("call_0", SEND_MESSAGE, json.dumps(message)),))
    elif config.mode == "tools" and ways.has_answered(called=bool(answer.calls)):
        remarks.append(
            _(
                "%(model)s answers with text where it should call a function. From now on memweb asks it for JSON "
                "instead. To begin so: MEMWEB_FUNCTION_MODE=json_schema."
            )
            % names
        )
    if ways.has_counted(answer.usage.prompt + answer.usage.cached, prompt.tokens):
        counts = {"counted": f"{answer.usage.prompt:,}", "sent": f"{prompt.tokens:,}"}
        remarks.append(
            _(
                "%(where)s counted %(counted)s tokens of a prompt of about %(sent)s: its window seems to be smaller "
                "than MEMWEB_CONTEXT_WINDOW, and it cuts off the beginning, which holds the agent's memory. Give the "
                "server a larger window (Ollama: OLLAMA_CONTEXT_LENGTH) or set MEMWEB_CONTEXT_WINDOW to the server's."
            )
            % {**names, **counts}
        )
    stateful = bool(answer.state) or any(call.extra for call in answer.calls)
    state = {**answer.state, "server": config.server} if stateful else {}
    return replace(answer, state=state, remarks=(*answer.remarks, *remarks))


def _all_thinking(config: ModelConfig, ways: adapting.Ways, names: dict[str, str], sent: int) -> LLMError:
    """It can be asked again while there is more room to give."""
    spent = f"{_room(config, ways, sent):,}"
    again = ways.wants_more_room()
    sentence = _(
        "%(model)s used all %(spent)s tokens of an answer for thinking and said nothing. Set MEMWEB_REPLY_TOKENS to "
        "more, or take a model that thinks less."
    )
    return LLMError(sentence % {**names, "spent": spent}, retryable=again)


def _room(config: ModelConfig, ways: adapting.Ways, sent: int) -> int:
    """Tokens that the answer to a prompt of `sent` tokens may have."""
    free = min(config.context_window // 2, config.context_window - sent)
    return max(config.reply_reserve, min(config.reply_reserve * ways.room, free))


class _NoTools(Exception):
    """The server knows no function calling for this model."""


def complete(messages: list[ChatMessage], config: ModelConfig, *, max_tokens: int, check: Check) -> str:
    """One plain answer, whole (for summaries). Raises as `stream`."""
    own_slot = {"extra_body": {"id_slot": len(guided.SLOTS)}} if config.mode == "guided" else {}
    with traces.span("model call", model=config.name):
        return "".join(
            chunk.content for chunk in pieces(messages, config, max_tokens=max_tokens, check=check, **own_slot)
        ).strip()


def pieces(
    messages: list[ChatMessage], config: ModelConfig, *, max_tokens: int, check: Check, **options: Any
) -> Iterator[Chunk]:
    """One plain answer as it comes. Raises as `stream`."""
    return _Endpoint(config, check, patient=False).chat(messages, max_tokens=max_tokens, **options)


def endpoint_of(config: ModelConfig, *, patient: bool = False) -> "connection.Endpoint":
    """Where the config's model is, for the connection to it. Raises LLMError."""
    from agents.llm import connection  # here: it loads the client, which few programs need

    secrets = config.unsealed()
    return connection.Endpoint(
        config.base_url,
        secrets.key,
        config.timeout,
        headers=secrets.headers,
        public_only=config.public_only,
        retries=0 if config.tried_once else connection.MAX_RETRIES,
        patient=patient and config.local,
        at_once=LOCAL_AT_ONCE if config.local else 0,
    )


def _harmless(message: ChatMessage) -> ChatMessage:
    """As it is sent: none of its texts can end its own message for a chat template."""
    texts = {
        name: framing.without_control_marks(message[name])
        for name in ("content", "reasoning_content")
        if isinstance(message.get(name), str)
    }
    calls = [
        {
            **call,
            "function": {**call["function"], "arguments": framing.without_control_marks(call["function"]["arguments"])},
        }
        for call in message.get("tool_calls", ())
    ]
    return {**message, **texts, **({"tool_calls": calls} if calls else {})}


@dataclass(frozen=True)
class _Endpoint:
    """The configured endpoint, as the modes ask it."""

    config: ModelConfig
    check: Check
    patient: bool = True  # wait for a local model that is still being fetched or loaded
    prompt_tokens: int = 0

    def chat(self, messages: list[ChatMessage], **options: Any) -> Iterator[Chunk]:
        """`StreamChat`: one chat completion. `extra_body` holds fields that OpenAI's own API does not know."""
        config, ways = self.config, adapting.ways_of(self.config.base_url, self.config.name)
        sent = [pictures.with_parts(_harmless(message), config.sees) for message in merged(messages)]
        request = {"model": config.name, "messages": sent, "stream": True, **options}
        request |= request.pop("extra_body", {})
        request.setdefault("max_tokens", _room(config, ways, self.prompt_tokens))
        request["stream_options"] = {"include_usage": True}
        if config.temperature is not None:
            request.setdefault("temperature", config.temperature)
        if effort := "low" if ways.room > 1 else config.reasoning_effort:
            request["reasoning_effort"] = effort
        from agents.llm import connection, errors  # here: they load the client, which few programs need

        endpoint = endpoint_of(config, patient=self.patient)
        started = time.monotonic()
        reader = AnswerReader()
        pieces = connection.stream(request, endpoint, check=self.check)
        called = False
        try:
            for piece, at in pieces:
                for chunk in reader.take(piece, at - started):
                    called = called or bool(chunk.calls)
                    yield chunk
            yield from reader.end(time.monotonic() - started)
        except errors.FAULTS as error:
            metrics.model_failed(model=config.name, kind=errors.kind_of(error))
            problem = errors.problem_of(error)
            if problem and "tools" in request and problem.knows_no_tools:
                raise _NoTools from error
            raise errors.explain(error, config) from error
        finally:
            pieces.close()  # type: ignore[attr-defined]
        if reader.empty:
            metrics.model_failed(model=config.name, kind="empty")
            raise errors.empty(config)
        if not called and (reader.refusal.strip() or reader.filtered):
            metrics.model_failed(model=config.name, kind="refused")
            raise errors.refused(reader.refusal, config)

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

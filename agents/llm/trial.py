"""A model tried: one function call, one streamed answer, one picture. What it can do is found out, not believed."""

import json
import time
from dataclasses import replace

from django.utils.translation import gettext as _

from agents.exceptions import LLMError
from agents.llm import adapting, gateway, listing
from agents.llm.gateway import Check, ModelConfig
from agents.llm.types import ChatMessage, Completion, FunctionSchema, Prompt
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.connection import ModelFacts

NUMBER = 7
MOST_TOKENS = 400
PATIENCE = 150.0  # seconds for all of it: a large model is loaded meanwhile
MODES = ("tools", "json_schema")
FUNCTION = FunctionSchema(
    name="keep_number",
    description="Keep a number for later.",
    parameters={
        "type": "object",
        "properties": {"number": {"type": "integer", "description": "The number to keep."}},
        "required": ["number"],
        "additionalProperties": False,
    },
)
PROMPT = Prompt(
    system="You answer every message by calling exactly one function.",
    blocks=(),
    summary="",
    queue=({"role": "user", "content": f"Please keep the number {NUMBER} by calling {FUNCTION.name}."},),
    functions=(FUNCTION,),
)
COUNT: list[ChatMessage] = [{"role": "user", "content": "Count from one to ten in words. Nothing else."}]
# A red square of 64 by 64.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PQQkAAAgAsetfWiP4FgYrsKZeS0BAQE"
    "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEDgsqnc8OJg6Ln3AAAAAElFTkSuQmCC"
)
SHOWN: list[ChatMessage] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Which colour is this picture? Answer with one word in English."},
            {"type": "image_url", "image_url": {"url": PICTURE}},
        ],
    }
]


def try_model(config: ModelConfig, said: ModelFacts) -> ModelFacts:
    """What works with this model, beside what its server's list says. Faults are in `error`, in words for people."""
    deadline = time.monotonic() + PATIENCE

    def check() -> None:
        if time.monotonic() > deadline:
            seconds = {"where": config.base_url, "seconds": f"{PATIENCE:g}"}
            raise LLMError(_("%(where)s gave no answer for %(seconds)s seconds.") % seconds)

    config = replace(config, tried_once=True, timeout=min(config.timeout, PATIENCE))
    adapting.forget_of(config.base_url, config.name)  # what was learned before the server changed
    try:
        mode = _mode(config, check)
        streams, counts = _streams(config, check)
    except LLMError as error:
        return ModelFacts(config.name, tried=True, error=str(error))
    window, sees = (None, None) if said.window else listing.window_at(config)
    if sees is None:
        sees = said.sees if said.sees is not None else _sees(config, check)
    facts = ModelFacts(config.name, mode=mode, window=window, sees=sees, streams=streams, counts=counts, tried=True)
    return replace(facts, error=_shortcoming(facts, said))


def _mode(config: ModelConfig, check: Check) -> str:
    """The first function mode in which it calls the function rightly; empty for none. Raises LLMError."""
    for mode in MODES:
        pieces = gateway.stream(PROMPT, replace(config, mode=mode, reply_tokens=MOST_TOKENS), check=check)
        answers = [piece for piece in pieces if isinstance(piece, Completion)]
        by_itself = adapting.ways_of(config.base_url, config.name).without_tools
        if any(_is_right(answer) for answer in answers):
            return "json_schema" if by_itself else mode
    return ""


def _is_right(answer: Completion) -> bool:
    for call in answer.calls:
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            continue
        if call.name == FUNCTION.name and isinstance(arguments, dict) and str(arguments.get("number")) == str(NUMBER):
            return True
    return False


def _streams(config: ModelConfig, check: Check) -> tuple[bool, bool]:
    """Whether an answer comes piece by piece, and whether its tokens are counted. Raises LLMError."""
    chunks = list(gateway.pieces(COUNT, config, max_tokens=MOST_TOKENS, check=check))
    streams = sum(1 for chunk in chunks if chunk.content or chunk.reasoning) > 1
    return streams, any(chunk.usage is not None and chunk.usage.prompt > 0 for chunk in chunks)


def _sees(config: ModelConfig, check: Check) -> bool:
    try:
        chunks = gateway.pieces(SHOWN, config, max_tokens=MOST_TOKENS, check=check)
        told = "".join(chunk.content for chunk in chunks).lower()
        return "red" in told and not adapting.ways_of(config.base_url, config.name).without_pictures
    except LLMError:
        return False


def _shortcoming(facts: ModelFacts, said: ModelFacts) -> str:
    """Why memweb cannot work well with it; empty if it can."""
    if not facts.mode:
        return _(
            "%(model)s answers, but calls no functions, neither by tools nor by JSON schema. An agent could not keep "
            "its memory with it. Choose another model."
        ) % {"model": facts.name}
    window = facts.window or said.window
    if window and window < MIN_CONTEXT_WINDOW:
        return _(
            "The server gives %(model)s a window of %(window)s tokens; memweb needs at least %(least)s. Give it more "
            "there (Ollama: OLLAMA_CONTEXT_LENGTH)."
        ) % {"model": facts.name, "window": f"{window:,}", "least": f"{MIN_CONTEXT_WINDOW:,}"}
    return ""

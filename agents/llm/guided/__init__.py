"""The gateway's `guided` mode: function calls from a model too small to choose and write one in a single go.

    queue ──situation──> event ──deciding──> label, rules ──writing | searching | reply──> one function call

The first small call labels the event, a second one says which line gives way or writes the reply; everything that can
be known without the model is not left to it: what a message tells and asks (`asking`), what a correction means
(`excuses`), which value or line gives way (`correcting`, `giving_way`), how what was told reads as a note (`units`,
`restating`), and all that is known (`recounting`). A reply has to say what the notes say (`evidence`), and to suggest
nothing that somebody cannot have (`avoiding`). The engine above sees the same pieces and the same `Completion` as from
any other mode.
"""

import json
import uuid
from collections.abc import Iterator

from agents.llm.guided import examples
from agents.llm.guided.deciding import Call, decide
from agents.llm.guided.model import SLOTS, Model
from agents.llm.guided.reply import reply_prefix, stream_reply
from agents.llm.guided.situation import read_queue
from agents.llm.types import (
    SEND_MESSAGE,
    ArgumentsDelta,
    CallStarted,
    ChatMessage,
    Completion,
    Delta,
    FunctionCall,
    Prompt,
    RawChat,
    Thinking,
)

__all__ = ["SLOTS", "stream", "warm_prompts"]


def stream(prompt: Prompt, chat: RawChat) -> Iterator[Delta | Completion]:
    """One step: its pieces as they come, then the `Completion` with exactly one call. Raises what `chat` raises."""
    model = Model(chat)
    situation = read_queue(prompt.queue)
    plan = decide(prompt, situation, model)
    yield Thinking(plan.why)
    name = plan.name if isinstance(plan, Call) else SEND_MESSAGE
    yield CallStarted(0, name)
    written, first = "", 0.0
    if isinstance(plan, Call):
        written, first = json.dumps(plan.arguments, ensure_ascii=False), model.seconds()
        yield ArgumentsDelta(0, written)
    else:
        for piece in stream_reply(prompt, situation, plan, model):
            if isinstance(piece, ArgumentsDelta):
                written += piece.text
            else:
                first = first or model.seconds()
            yield piece
    yield Completion(
        inner_monologue=plan.why,
        calls=(FunctionCall(f"call_{uuid.uuid4().hex[:16]}", name, written),),
        finish_reason="tool_calls",
        usage=model.usage,
        time_to_first_token=round(first, 3),
    )


def warm_prompts() -> list[tuple[int, list[ChatMessage]]]:
    """Each slot with the beginning of its prompts; ask for one token of each at start, so that no user waits for it."""
    bare = Prompt(system="", blocks=(), summary="", queue=(), functions=())
    return [
        (SLOTS["label"], examples.label_prefix()),
        (SLOTS["write"], examples.write_prefix()),
        (SLOTS["check"], examples.check_prefix()),
        (SLOTS["reply"], reply_prefix(bare)),
    ]

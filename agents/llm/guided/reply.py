"""A reply: plain chat, streamed, with the conversation as turns and what changes at the end."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agents.llm.guided.asking import asks_for_ideas, parts_of
from agents.llm.guided.avoiding import names_something, suggests
from agents.llm.guided.evidence import Evidence, quoted, stands_on
from agents.llm.guided.model import Model
from agents.llm.guided.notes import PERSONA, is_blank, notes_for
from agents.llm.guided.remarks import language_of, remark
from agents.llm.guided.signs import numbers_about
from agents.llm.guided.situation import Line, Situation
from agents.llm.guided.words import CJK, clip
from agents.llm.types import REQUEST_HEARTBEAT, ArgumentsDelta, ChatMessage, Prompt, ReplyDelta

MAX_TOKENS = 120
NOTES, MAX_MESSAGE = 1000, 3000  # weight of core memory shown, and of the user's message
HISTORY_TOKENS = 1200
HISTORY_STEP = 8
"""The oldest lines leave the history this many at a time, so that its beginning stays cached in between."""
_RULES = """You chat with the user. Answer in the language of the user's message, warmly and plainly, in one to three
short sentences. What stands in brackets is for you alone: notes about the user, which are true, and what to do. Speak
to the user as “you” and “your”. Look at the notes before you give advice. If neither the notes nor the conversation say
something about the user, say that you do not know it. Never make up names, dates or numbers."""
_FALLBACK = "Sorry, I did not find the words for that. Could you put it another way?"
_IDEAS = ("How about {}?", "可以试试{}。")  # in English, in Chinese
_UNSAFE = (
    "I can't think of anything that is surely without {}. Please check what is in it before you choose.",
    "我想不出一定不含{}的。选之前请先看清里面有什么。",
)
_LIST = (
    'root ::= item (", " item){1,4}\nitem ::= [a-zA-Z\'’ -]{2,40}',
    'root ::= item ("、" item){1,4}\nitem ::= [^\\x20-\\x7e、，。？！：；（）【】\\n]{1,10}',
)
_FALLBACK_ZH = "抱歉，我没想好怎么回答。能换个说法吗？"


@dataclass(frozen=True)
class Reply:
    """What to answer with.

    `remarks`: what to tell the model for this reply alone, in brackets. `any_number`: general knowledge may need one.
    `notes`: whether it sees the core memory blocks (a reaction to what was just saved is better without). `past`:
    whether it sees what was said before; what stands alone is answered better without.
    `openings`: how it has to begin; any way if empty. `text`: the whole reply, where nothing is left to the model.
    `message`: what is answered, where that is a part of the user's message that is better understood alone.
    `evidence`: what the reply has to stand on, `avoids`: what it may not suggest; it is read as a whole before it goes
    out, and gives way if it does not keep to that.
    """

    why: str
    remarks: tuple[str, ...] = ()
    any_number: bool = False
    notes: bool = True
    past: bool = True
    openings: tuple[str, ...] = ()
    text: str = ""
    message: str = ""
    evidence: Evidence | None = None
    avoids: tuple[str, ...] = ()


def stream_reply(
    prompt: Prompt, situation: Situation, reply: Reply, model: Model
) -> Iterator[ArgumentsDelta | ReplyDelta]:
    """The reply as pieces of `send_message`'s arguments and of its text."""
    yield ArgumentsDelta(0, '{"message": "')
    if reply.text:
        yield from _deltas(reply.text)
    elif reply.evidence:
        text = _whole(prompt, situation, reply, model)
        yield from _deltas(text if stands_on(text, reply.evidence) else quoted(reply.evidence))
    elif reply.avoids:
        text = _whole(prompt, situation, reply, model)
        fits = _keeps_to(reply, situation, text)
        yield from _deltas(text if fits else _otherwise(prompt, situation, reply, model))
    elif asks_for_ideas(parts_of(situation.text).asked):
        yield from _suggested(prompt, situation, reply, model)
    else:
        yield from _written(prompt, situation, reply, model)
    yield ArgumentsDelta(0, f'", "{REQUEST_HEARTBEAT}": false}}')


def _suggested(
    prompt: Prompt, situation: Situation, reply: Reply, model: Model
) -> Iterator[ArgumentsDelta | ReplyDelta]:
    """A suggestion as it comes, as soon as it names something; something else if it never does."""
    text, held = "", list[ArgumentsDelta | ReplyDelta]()
    pieces = _written(prompt, situation, reply, model)
    for piece in pieces:
        held.append(piece)
        text += piece.text if isinstance(piece, ReplyDelta) else ""
        if names_something(re.sub(r"[a-zA-Z'’]+$", "", text), situation.text, ()):  # the last word may go on
            yield from held
            yield from pieces
            return
    named = names_something(text, situation.text, ())
    yield from held if named else _deltas(_otherwise(prompt, situation, reply, model) or text)


def _keeps_to(reply: Reply, situation: Situation, text: str) -> bool:
    """Whether a suggestion has nothing of what is to be avoided, and names something where that was asked for."""
    asked = parts_of(situation.text).asked
    named = not asks_for_ideas(asked) or names_something(text, situation.text, reply.avoids)
    return named and not suggests(text, reply.avoids)


def _otherwise(prompt: Prompt, situation: Situation, reply: Reply, model: Model) -> str:
    """What can be said in place of a suggestion that is none, or none for them; empty if nothing can.

    Not told of it, a small model names what is to be avoided less than when it is told to leave it out.
    """
    again = replace(reply, remarks=(), notes=False, past=False, openings=(), message=parts_of(situation.text).asked)
    text = _whole(prompt, situation, again, model)
    return text if _keeps_to(reply, situation, text) else _ideas(prompt, situation, again, model)


def _ideas(prompt: Prompt, situation: Situation, reply: Reply, model: Model) -> str:
    """Two of five things that the model lists, none of them to be avoided; else a plain sentence, or nothing."""
    chinese = language_of(situation.text) == "zh"
    messages = [
        *reply_prefix(prompt),
        _last(prompt, situation, replace(reply, remarks=(remark("ideas", reply.message),))),
    ]
    listed = "".join(model.pieces("reply", messages, max_tokens=MAX_TOKENS, grammar=_LIST[chinese]))
    good = [one.strip() for one in re.split("[,、]", listed) if _keeps_to(reply, situation, one)][:2]
    if good:
        return _IDEAS[chinese].format(("或" if chinese else " or ").join(good))
    return _UNSAFE[chinese].format(reply.avoids[0]) if reply.avoids else ""


def _whole(prompt: Prompt, situation: Situation, reply: Reply, model: Model) -> str:
    return "".join(one.text for one in _written(prompt, situation, reply, model) if isinstance(one, ReplyDelta))


def _written(prompt: Prompt, situation: Situation, reply: Reply, model: Model) -> Iterator[ArgumentsDelta | ReplyDelta]:
    """What the model makes of it, or a sentence that it found no words."""
    said = history(situation.conversation) if reply.past else []
    messages = [*reply_prefix(prompt), *said, _last(prompt, situation, reply)]
    allowed = None if reply.any_number else numbers_about(situation.text, [str(each["content"]) for each in messages])
    grammar = reply_grammar(reply.openings, allowed)
    empty, before = True, model.usage.completion
    for piece in model.pieces("reply", messages, max_tokens=MAX_TOKENS, grammar=grammar):
        text = piece.lstrip() if empty else piece
        if text:
            empty = False
            yield from _deltas(text)
    if empty:
        yield from _deltas(_FALLBACK_ZH if CJK.search(situation.text) else _FALLBACK)
    elif model.usage.completion - before >= MAX_TOKENS:
        yield from _deltas("…")


def reply_prefix(prompt: Prompt) -> list[ChatMessage]:
    """What every reply of an agent begins with: rules, persona, summary."""
    persona = next((block.value for block in prompt.blocks if block.label == PERSONA and not is_blank(block)), "")
    parts = [_RULES, clip(persona.strip(), 700)]
    if prompt.summary:
        parts.append(f"Summary of the earlier conversation: {clip(prompt.summary, 1500)}")
    return [{"role": "system", "content": "\n\n".join(part for part in parts if part)}]


def history(conversation: list[Line]) -> list[ChatMessage]:
    """The last lines of the conversation as chat turns, within the token budget."""
    start = 0
    while sum(_tokens(clip(line.text, 800)) for line in conversation[start:]) > HISTORY_TOKENS:
        start += HISTORY_STEP
    return [{"role": line.speaker, "content": clip(line.text, 800)} for line in conversation[start:] if line.text]


def reply_grammar(openings: tuple[str, ...], allowed: set[str] | None) -> str | None:
    """A grammar for a text that begins with one of the openings and has no other numbers than these (None: any).

    With an opening it is one paragraph: lists are where a small model forgets what it was told to mind.
    """
    if allowed is None and not openings:
        return None
    rules = [
        "root ::= " + (f"({_either(openings)}) rest" if openings else "rest"),
        "other ::= [^0-9\\n]" if openings else "other ::= [^0-9]",
    ]
    if allowed is None:
        rules.append("rest ::= (other | [0-9])*")
    elif allowed:
        rules += ["rest ::= number? (other+ number)* other*", f"number ::= {_either(sorted(allowed))}"]
    else:
        rules.append("rest ::= other*")
    return "\n".join(rules)


def _either(texts: Iterable[str]) -> str:
    return " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def _last(prompt: Prompt, situation: Situation, reply: Reply) -> ChatMessage:
    text = reply.message or situation.text
    notes = notes_for(prompt, text, NOTES) if reply.notes else ""
    notes = re.sub(r"(^|[.!?]\s+|\n)(Her|His|Their|The user['’]s)\b", r"\1Your", notes)
    language = (remark("language", text),) if language_of(text) != "en" else ()
    head = [remark("notes", text, notes)] if notes else []
    picture = (remark("picture", text),) if situation.pictures else ()
    lines = [*head, clip(text, MAX_MESSAGE), *reply.remarks, *picture, *language]
    return {"role": "user", "content": "\n".join(lines)}


def _deltas(text: str) -> Iterator[ArgumentsDelta | ReplyDelta]:
    yield ArgumentsDelta(0, json.dumps(text, ensure_ascii=False)[1:-1])
    yield ReplyDelta(text)


def _tokens(text: str) -> int:
    wide = len(CJK.findall(text))
    return wide + (len(text) - wide) // 4 + 4

"""What to do about the event: one function call, or a reply."""

import re
from dataclasses import dataclass, replace
from typing import Any

from agents.llm.guided.asking import (
    asks_everything,
    asks_how,
    asks_of_the_user,
    asks_task,
    asks_who,
    parts_of,
    stands_alone,
)
from agents.llm.guided.avoiding import avoided, is_to_be_replaced
from agents.llm.guided.evidence import evidence
from agents.llm.guided.labelling import answers, label_event
from agents.llm.guided.model import Model
from agents.llm.guided.notes import BEFORE, PERSONA, known_lines, lines_of, notes_for
from agents.llm.guided.recounting import recount
from agents.llm.guided.remarks import openings, remark
from agents.llm.guided.reply import NOTES, Reply
from agents.llm.guided.searching import ARCHIVAL, BY_DATE, CONVERSATION, essence, found_nothing, search
from agents.llm.guided.signs import (
    asks_advice,
    introduces,
    is_about_food,
    is_caution,
    is_change,
    is_correction,
    is_dislike,
    is_on_topic,
    is_personal,
    is_sad,
    kinds_of,
    topics,
)
from agents.llm.guided.situation import Done, Situation
from agents.llm.guided.sums import worked_out
from agents.llm.guided.words import (
    clip,
    names,
    numbers,
    overlap,
    stems,
)
from agents.llm.guided.writing import INSERT, REPLACE, Write, another_way, takes_back, write_archive, write_next
from agents.llm.types import REQUEST_HEARTBEAT, Prompt

WRITING = ("new", "changed", "style")
SEARCHES = (CONVERSATION, BY_DATE, ARCHIVAL)
MAX_RESULT = 1500  # weight of a search result shown to the reply
MAX_WRITES = 3  # for one message
_PAUSE = "pause_heartbeats"
_WRITE = re.compile(r"\b(write|draft|compose|message|email|letter|card)\b|写", re.IGNORECASE)
_CLOCK = re.compile(
    r"\b(what|which) (time|day|date|month|year) (is it|is today|it is|do we have|are we)\b|\btoday['’]s date\b|"
    r"\bwhat(['’]s| is) (the )?(current )?(time|date|day|month|year)\b(?! (of|for|when))|"
    r"^(请问|现在|今天|今年|那么?)*(是)?(几点了?|几号|星期几|几月)[了呢？?]*$|今天(是)?(几号|星期几|几月)|现在(是)?几点",
    re.IGNORECASE,
)
_WHY = {
    "new": "That is new to me. I write it down.",
    "changed": "Something I knew has changed. I correct my notes.",
    "style": "This is how I should behave. I write it down.",
    "save": "I should keep this. It goes to archival memory.",
    "find": "My notes do not say this. I search my memory.",
    "past": "This is about something said earlier. I search my memory.",
    "known": "I answer from what I know about the user.",
    "chat": "Nothing to look up or to write down. I answer.",
}


@dataclass(frozen=True)
class Call:
    """Any function but `send_message`."""

    why: str
    name: str
    arguments: dict[str, Any]


Plan = Call | Reply


def decide(prompt: Prompt, situation: Situation, model: Model) -> Plan:
    """One function call for the situation. At most three small model calls, at most one after a function result."""
    if situation.event in ("heartbeat", "system_alert", "none"):
        return _housekeeping(prompt, situation)
    if situation.done:
        return _after_results(prompt, situation, model)
    if situation.event == "login":
        return Reply("The user is back. I greet them.", (remark("back", ""),))
    return _on_message(prompt, situation, model)


def _on_message(prompt: Prompt, situation: Situation, model: Model) -> Plan:
    """What was told is written first; what was asked is answered, after a search where nothing at hand says it."""
    parts = parts_of(situation.text)
    label = label_event(prompt, situation, model)
    if label not in WRITING and takes_back(prompt, parts.told):
        label = "changed"
    if label in WRITING:
        write = write_next(prompt, model, parts.told or situation.text, label, [])
    elif label == "save":
        write = write_archive(prompt, model, situation.whole)
    else:
        write = None
    if write:
        return _call(_WHY[label], write.name, write.arguments, heartbeat=True)
    if label in ("find", "past"):
        call = search(prompt, situation.text, situation.conversation, situation.time)
        if call:
            return _call(_WHY[label], call.name, call.arguments, heartbeat=True)
    if label in WRITING and parts.asked:
        return _answer_beside(prompt, situation, parts.asked)
    return _answer(prompt, situation, label, parts.asked)


def _answer(prompt: Prompt, situation: Situation, label: str, asked: str) -> Reply:
    """A reply without a search: from core memory and the conversation, or whatever the model knows."""
    message, why = situation.text, _WHY["known" if label == "known" else "chat"]
    if label == "known":
        if asks_everything(asked) or not stems(asked or message):
            return Reply(why, text=recount(prompt, message))
        beginning = _openings("known", asked or message)
        past = not _was_said_otherwise(prompt, situation, asked)
        remarks = (remark("known", message), *_clock(situation))
        return Reply(
            why, remarks, past=past, openings=beginning, evidence=evidence(prompt, asked or message, situation.said)
        )
    cautions = _cautions(prompt, situation)
    beginning = openings("caution" if cautions and is_about_food(message) else "advice", message)
    beginning = beginning if asks_advice(asked) or cautions else ()
    tasks = asks_advice(asked) or asks_task(asked) or asks_how(asked)
    general = bool(asked) and (tasks or not asks_of_the_user(asked))
    any_number = label == "chat" and (general or not is_personal(message))
    notes = not general or bool(cautions) or asks_of_the_user(asked)
    past = notes or not stands_alone(asked)
    concrete = (remark("advice", message),) if asks_advice(asked) and not cautions else ()
    remarks = (
        *((remark("general", message),) if general and past else ()),
        *concrete,
        *cautions,
        *_clock(situation),
        *_sum(asked),
    )
    avoids = avoided("\n".join([*cautions, parts_of(message).told])) if tasks or cautions else ()
    avoids = tuple(thing for thing in avoids if not is_to_be_replaced(thing, asked))
    return Reply(why, remarks, any_number=any_number, notes=notes, past=past, openings=beginning, avoids=avoids)


def _after_results(prompt: Prompt, situation: Situation, model: Model) -> Plan:
    """A function result leads to what is still to be written, then to the reply; a failed write to one other place."""
    last, message = situation.done[-1], situation.text
    if last.failed and situation.failures == 1:
        other = another_way(prompt, last.name, last.arguments)
        if other:
            return _call("That did not work. I try another place.", other.name, other.arguments, heartbeat=True)
    more = _more_to_write(prompt, situation, model)
    if more:
        return _call(_WHY["new"], more.name, more.arguments, heartbeat=True)
    parts, kind = parts_of(message), _kind(last)
    if kind == "saved" and parts.asked:
        return _answer_beside(prompt, situation, parts.asked)
    standing = evidence(prompt, parts.asked or message, situation.said) if kind == "nothing" else None
    if standing:
        return Reply(
            _WHY["known"], (remark("known", message),), openings=_openings("known", message), evidence=standing
        )
    if kind == "found" and not answers(model, parts.asked or message, essence(last.message)):
        kind = "nothing"
    result = clip(essence(last.message) if kind == "found" else last.message, MAX_RESULT)
    searched = last.name in SEARCHES
    beginning = _openings(kind, message) if searched or not parts.asked else ()
    remarks = (remark(kind, message, result), *_clock(situation))
    return Reply("I have what I need. I answer.", remarks, notes=bool(parts.asked) or searched, openings=beginning)


def _more_to_write(prompt: Prompt, situation: Situation, model: Model) -> Write | None:
    """What the message tells beside the line that was just exchanged; a whole note leaves nothing."""
    last = situation.done[-1]
    if last.failed or last.name != REPLACE or len(situation.done) >= MAX_WRITES:
        return None
    written = [str(call.arguments.get("new_content") or "") for call in situation.done]
    return write_next(prompt, model, parts_of(situation.text).told, "new", written)


def _answer_beside(prompt: Prompt, situation: Situation, asked: str) -> Plan:
    """What was asked for in the same message as a fact: the fact is written, the rest is done as if it came alone."""
    if asks_everything(asked):
        return _answer(prompt, situation, "known", asked)
    of_the_user = asks_of_the_user(asked) and not (asks_advice(asked) or asks_how(asked))
    noted = of_the_user and overlap(asked, "\n".join([notes_for(prompt, asked, NOTES), *situation.said])) >= 0.5
    if of_the_user and not noted:
        call = search(prompt, asked, situation.conversation, situation.time)
        if call:
            return _call(_WHY["find"], call.name, call.arguments, heartbeat=True)
    reply = _answer(prompt, situation, "known" if noted else "chat", asked)
    if not (reply.notes or reply.past or _WRITE.search(asked)):  # of the world: what was told beside it only misleads
        return replace(reply, message=asked)
    task = asked if len(stems(asked)) > 1 else situation.text  # “One sentence, please?” says too little by itself
    return replace(reply, remarks=(*reply.remarks, remark("beside", situation.text, task)))


def _kind(call: Done) -> str:
    """Which remark a function result calls for."""
    if call.name in SEARCHES:
        return "nothing" if call.failed or found_nothing(call.message) else "found"
    if call.failed:
        return "failed"
    if call.name == INSERT:
        return "stored"
    return "style" if call.arguments.get("label") == PERSONA else "saved"


def _openings(kind: str, message: str) -> tuple[str, ...]:
    """An answer about the user speaks to the user; an answer about anything else begins as it likes."""
    if kind in ("known", "found") and (not is_personal(message) or asks_who(message)):
        return ()
    if kind == "saved":
        kind = "met" if introduces(message) else "sad" if is_sad(message) else "saved"
    return openings(kind, message)


def _was_said_otherwise(prompt: Prompt, situation: Situation, asked: str) -> bool:
    """Whether the notes say what is asked, and something about it changed: what was said before it would mislead."""
    changed = [text for text in situation.said if is_change(text) or is_correction(text)]
    lines = known_lines(prompt)  # also of what was before
    words = stems(f"{asked} {kinds_of(asked)}")
    near = [line for line in lines if words & stems(line) or is_on_topic(line, asked)]
    about = words.union(*map(stems, near))
    return bool(near) and any(about & stems(text) or topics(text) & topics(asked) for text in changed)


def _cautions(prompt: Prompt, situation: Situation) -> tuple[str, ...]:
    """What the notes say about health and diet, again, where the user may get advice."""
    asked = parts_of(situation.text).asked
    if not asked or not (is_about_food(situation.text) or asks_advice(asked)):
        return ()
    standing = [line for block in prompt.blocks if block.label != PERSONA for line in lines_of(block)]
    of_food = is_about_food(situation.text)
    lines = [line for line in standing if is_caution(line) or (of_food and is_dislike(line))]
    lines = [line for line in lines if not line.startswith(BEFORE)]
    return (remark("caution", situation.text, clip(" ".join(lines), 200)),) if lines else ()


def _housekeeping(prompt: Prompt, situation: Situation) -> Plan:
    """Nobody waits for an answer: on memory pressure keep one thing the user said, otherwise let the time pass."""
    if situation.event == "system_alert" and not situation.done:
        fact = _unsaved(prompt, situation)
        if fact and _has(prompt, INSERT):
            return _call("Memory runs full. I keep what matters.", INSERT, {"content": fact}, heartbeat=False)
    if _has(prompt, _PAUSE) and not any(call.name == _PAUSE for call in situation.done):
        return _call("Nothing to do.", _PAUSE, {"minutes": 1}, heartbeat=False)
    return Reply("Nothing to do. I say so.", (remark("idle", ""),))


def _unsaved(prompt: Prompt, situation: Situation) -> str:
    """The user's statement that says most and is not kept yet, in the user's words."""
    saved = "\n".join([*(block.value for block in prompt.blocks), *situation.archived])
    best, most = "", 1.0
    for line in situation.conversation:
        statement = parts_of(line.text).told if line.speaker == "user" else ""
        if not statement or not is_personal(statement) or overlap(statement, saved) > 0.6:
            continue
        weight = 2.0 * len(numbers(statement) | names(statement)) + min(len(statement), 200) / 50
        if weight > most:
            best, most = statement, weight
    return f"The user said: “{clip(best, 600)}”" if best else ""


def _clock(situation: Situation) -> tuple[str, ...]:
    """The hour and the day where they are asked for; a question about the user's own would be answered with today."""
    asked = _CLOCK.search(situation.text) is not None and not is_personal(situation.text)
    return (remark("time", situation.text, situation.time),) if situation.time and asked else ()


def _sum(asked: str) -> tuple[str, ...]:
    """The result where a sum is asked for."""
    result = worked_out(asked)
    return (remark("sum", asked, result),) if result else ()


def _call(why: str, name: str, arguments: dict[str, Any], *, heartbeat: bool) -> Call:
    return Call(why, name, {**arguments, REQUEST_HEARTBEAT: heartbeat})


def _has(prompt: Prompt, name: str) -> bool:
    return any(function.name == name for function in prompt.functions)

"""What is written to memory, and the guards before it: a small model invents, drops and overwrites if it may."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from agents.llm.guided import examples
from agents.llm.guided.correcting import company, correction, is_taken_back, taken_back
from agents.llm.guided.excuses import stripped
from agents.llm.guided.giving_way import as_before, clauses, in_place_of, is_of_others, outdated
from agents.llm.guided.model import Model
from agents.llm.guided.naming import given_name, is_name_line, name_lines, noted_name
from agents.llm.guided.nearness import adds, is_of_another
from agents.llm.guided.notes import BEFORE, HUMAN, PERSONA, holds, lines_of, units_of, writable_block
from agents.llm.guided.remarks import language_of
from agents.llm.guided.restating import MAX_NOTE, as_note, can_restate, without_lead
from agents.llm.guided.signs import (
    excuses,
    introduces,
    is_caution,
    is_change,
    is_correction,
    is_departure,
    is_ending,
    is_of_a_third,
    is_of_somebody_else,
    is_of_the_speaker,
    is_personal,
    is_plan,
    relations,
    topics,
)
from agents.llm.guided.units import covers_all, is_written, subject, units_to_write, without_denials
from agents.llm.guided.words import CJK, clip, content_words, mentions, names, numbers, overlap, stems
from agents.llm.types import Prompt, PromptBlock

APPEND, REPLACE, INSERT = "core_memory_append", "core_memory_replace", "archival_memory_insert"
MAX_LINES = 8  # lines of a block the model may choose among
_CALL_ME = re.compile(r"^(?:请)?(?:叫我|我叫)[^，。]{1,6}[，。](?=.)")
_FIRST_PERSON = re.compile(r"\b(I|my|My|me|we|We|our|us)\b|我")
_STORE_REQUEST = re.compile(
    r"^.{0,60}?\b(archive|archival memory|note|memory|this down|for later|this)\b\s*[:：]\s*(?P<rest>.+)$"
    r"|^.{0,20}?(存档|归档|记下|存起来|保存|记一下|档案|备忘)[^：:]{0,6}[：:]\s*(?P<rest_zh>.+)$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Write:
    """A memory write that passed the guards: the function's name and its arguments."""

    name: str
    arguments: dict[str, Any]


def write_next(prompt: Prompt, model: Model, told: str, label: str, written: list[str]) -> Write | None:
    """The next write for what the user told: each exchange of a value by itself, then the rest as one note.

    `written`: what was written for this message before. None if nothing is left. At most one model call.
    """
    statement = stripped(told)
    units = units_to_write(statement)
    left = [
        unit
        for unit in (without_denials(units) if is_correction(told) else units)
        if not written
        or (not any(is_written(unit, text) for text in written) and _says_something(unit, given_name(statement)))
    ]
    corrects = excuses(told)
    if written and corrects:
        left = [unit for unit in left if not is_taken_back(unit)]
    block = writable_block(prompt, PERSONA if label == "style" else HUMAN)
    if block and label != "style" and _can(prompt, REPLACE):
        lines = _standing_lines(block)
        back = None if written else taken_back(lines, told, corrects=corrects)
        for exchange in chain([back], (correction(lines, unit, corrects=corrects) for unit in left)):
            if exchange and _fits(block, exchange.old, exchange.new):
                return _replace(block, exchange.old, exchange.new)
        for unit in sorted(left, key=is_ending):  # what is so now takes the place of what is over
            change = _change(block, unit, written, corrects=is_correction(told), changes=is_change(told))
            if change:
                return change
    rest = " ".join(unit if unit[-1] in ".!?。！？…" else f"{unit}." for unit in left) if written else statement
    if not rest or (written and not (is_personal(rest) or _names_somebody(rest) or topics(rest))):
        return None
    return write_fact(prompt, model, rest, label, written)


def _change(block: PromptBlock, unit: str, written: list[str], *, corrects: bool, changes: bool) -> Write | None:
    """The line that the unit makes untrue gives way to it; what was so before is kept as that, unless it was wrong."""
    lines = [line for line in _standing_lines(block, written) if relations(unit) or not _is_of_a_relative(block, line)]
    note = as_note(unit)
    for line in lines if is_departure(unit) else ():
        alone = line.replace(company(line, unit), "")
        if alone != line and _fits(block, line, f"{alone} {note}"):
            return _replace(block, line, f"{alone} {note}")
    old = outdated(lines, unit, corrects=corrects, changes=changes)
    if not old or holds(block.value, note):
        return None
    new = _apart(block, old, in_place_of(old, note, unit) or as_before(old, note))
    return _replace(block, old, new) if _fits(block, old, new) else None


def _is_of_a_relative(block: PromptBlock, sentence: str) -> bool:
    """Whether a sentence stands behind one about somebody: the “Nurse.” of “Wife: Petra. Nurse.”."""
    line = next((line for line in block.value.splitlines() if sentence in line), "")
    before = line.partition(sentence)[0]
    return bool(before and relations(before))


def takes_back(prompt: Prompt, told: str) -> bool:
    """Whether what was told corrects a line, or exchanges a value of it, whatever the model takes it for."""
    block, corrects = writable_block(prompt, HUMAN), excuses(told)
    if block is None or not (corrects or is_change(told)):
        return False
    units = units_to_write(stripped(told))
    lines = _standing_lines(block)
    surely = is_correction(told)
    return any(
        correction(lines, unit, corrects=corrects) or (surely and outdated(lines, unit, corrects=True))
        for unit in units
    )


def write_fact(prompt: Prompt, model: Model, statement: str, label: str, written: list[str]) -> Write | None:
    """A new or changed fact, or how to behave, as a write to core memory; None if there is nothing to write.

    The model says which line gives way, and drafts what cannot be restated by rule: at most one call. `label` is `new`,
    `changed` or `style`; what was `written` for the same message stays.
    """
    block = writable_block(prompt, PERSONA if label == "style" else HUMAN)
    if block is None:
        return _insert(prompt, statement)
    lines = _choices(block, statement, written) if _tells_a_change(statement, label) else ()
    drafted = label == "style" or not can_restate(statement)
    replaces, note = _draft(model, label, lines, statement) if drafted or lines else (0, "")
    old = line_meant(lines, replaces, note, statement)
    old = old if may_replace(old, note, statement, label) else ""
    note = note.replace(old, "").strip() if old and note != old else note
    usable = drafted and grounded(note, statement, old)
    usable = usable and (label == "style" or not _FIRST_PERSON.search(of_the_user(note)))
    old = old if usable or len(clauses(old)) < 2 else ""
    note = with_heading(of_the_user(note), old) if usable else restated(statement)
    note = note if is_plan(statement) else as_state(note)
    named = any(is_name_line(line) for line in lines_of(block))
    name = (given_name(statement, renames=named) or noted_name(note, statement)) if block.label == HUMAN else ""
    if name and not mentions(block.value, name.lower()):
        return _write_name(prompt, block, name_lines(name, note))
    if old and _can(prompt, REPLACE):
        if holds(block.value.replace(old, ""), note):
            return None
        new = _apart(block, old, in_place_of(old, note, statement))
        if new and _fits(block, old, new) and new != old:
            return _replace(block, old, new)
    return append(prompt, block, note)


def _write_name(prompt: Prompt, block: PromptBlock, note: str) -> Write | None:
    """In place of the line that holds the name, known or not, else at the end of the block."""
    old = next((unit for line in block.value.splitlines() for unit in units_of(line) if is_name_line(unit)), "")
    if not old or block.value.count(old) > 1 or not _can(prompt, REPLACE):
        return append(prompt, block, note)
    if not _fits(block, old, note):
        return _insert(prompt, note)
    return _replace(block, old, note)


def write_archive(prompt: Prompt, model: Model, message: str) -> Write | None:
    """Something to keep word for word in archival storage."""
    match = _STORE_REQUEST.match(message)
    if match:
        return _insert(prompt, (match.group("rest") or match.group("rest_zh")).strip())
    _, note = _draft(model, "archive", (), message)
    return _insert(prompt, note if grounded(note, message, "") else message)


def append(prompt: Prompt, block: PromptBlock, note: str) -> Write | None:
    """The note at the end of its block; in archival storage if the block is full; None if the block has it already."""
    if holds(block.value, note):
        return None
    if len(block.value) + 1 + len(note) > block.limit or not _can(prompt, APPEND):
        return _insert(prompt, note)
    return Write(APPEND, {"label": block.label, "content": note})


def another_way(prompt: Prompt, name: str, arguments: dict[str, Any]) -> Write | None:
    """After a failed write, the next safer place for the same text; None if there is none left."""
    text = str(arguments.get("new_content") or arguments.get("content") or "").strip()
    block = writable_block(prompt, str(arguments.get("label") or HUMAN))
    if not text:
        return None
    if name == REPLACE and block:
        return append(prompt, block, text)
    return _insert(prompt, text) if name == APPEND else None


def grounded(note: str, message: str, context: str) -> bool:
    """Whether the note says what the message says: no number, name or topic of its own, and none of the message's lost.

    `context`: the text it may also take names from (the line it corrects, the block it stands in).
    """
    if not note.strip() or numbers(note) - numbers(message) - numbers(context):
        return False
    if numbers(message) - numbers(note):
        return False
    if relations(message) - relations(note) - relations(context):
        return False
    if any(not mentions(note, name) and not mentions(context, name) for name in names(message)):
        return False
    known = language_of(message) != "other"  # what words say the same cannot be told of any other language
    if known and not covers_all(message, f"{note} {context}", endings=not context):
        return False
    if any(not mentions(message, name) and not mentions(context, name) for name in names(note)):
        return False
    if CJK.search(note) and overlap(message, note) < 0.5:  # names cannot be told by their spelling
        return False
    return overlap(note, f"{message} {context} {_FORM}") >= 0.6 and overlap(note, message) >= 0.3


def line_meant(lines: tuple[str, ...], chosen: int, note: str, message: str) -> str:
    """The line the model chose, or the one it must mean: on the same topic, or with words in common. Empty for none."""
    if not chosen:
        same = [line for line in lines if topics(line) & topics(message) or overlap(line, message) >= 0.5]
        return same[0] if len(same) == 1 else ""

    def common(line: str) -> int:
        return len(stems(line) & (stems(note) | stems(message)))

    best = max(lines, key=common)
    return lines[chosen - 1] if common(lines[chosen - 1]) or not common(best) else best


def may_replace(old: str, note: str, message: str, label: str) -> bool:
    """Whether a line may give way: the message tells a change, and old and new are about the same thing and person."""
    if not old or not _tells_a_change(message, label):
        return False
    if is_plan(message) and not is_plan(old):  # what is to come leaves what is so now
        return False
    if relations(message) - relations(old):  # a sister's new town is not the user's
        return False
    if is_of_somebody_else(old, message) or is_of_another(old, message) or is_of_others(old, message):
        return False
    if adds(message) and not (is_correction(message) or CJK.search(message)):
        return False
    if not _marks_a_change(message):  # only the model takes it for a change
        return bool(subject(old) & subject(message))
    on_topic = topics(old) & topics(message) if relations(message) or is_of_the_speaker(message) else set()
    same = subject(old) & (subject(message) | subject(note)) or on_topic
    return bool(same) or _same_heading(old, note) or any(mentions(message, name) for name in names(old))


def of_the_user(note: str) -> str:
    """The note without “I”, which would read as the agent's own: “The user turned 30.”."""
    note = re.sub(r"^(hi|hello|hey)[!,.]+ ", "", note, flags=re.IGNORECASE)
    if re.match(r"I (do|have|don['’]t|haven['’]t)\b", note):
        return as_note(note)
    for start, instead in (("Our ", ""), ("I'm ", ""), ("I’m ", ""), ("I am ", ""), ("I ", "The user "), ("My ", "")):
        if note.startswith(start):
            rest = instead + note[len(start) :]
            return rest[:1].upper() + rest[1:]
    return note


def as_state(note: str) -> str:
    """A move as where the user now lives, which is what will be asked for."""
    english = re.sub(
        r"^(?:(?:i|we|has|have|had|just|recently|the user)(?:['’]ve)? )*moved (?:from .+? )?to ",
        "Lives in ",
        note,
        flags=re.I,
    )
    english = (
        re.sub(r" (last|this) (week|month|year)|yesterday|recently|today\b", "", english) if english != note else note
    )
    return re.sub(r"^(?:我|用户)?(?:刚|已经)*搬(?:家)?(?:到|去)(?:了)?(.+?)了?(?=[，。]|$)", r"住在\1", english)


def with_heading(note: str, old: str) -> str:
    """The note under the heading of the line it corrects: “Favorite drink: tea.” for “Tea.”."""
    head, colon, _ = old.partition(":")
    if not colon or len(head) > 40 or re.search("[:：]", note):
        return note
    return f"{head}: {note}"


def restated(statement: str) -> str:
    """What was told in the user's own words, a line for each thing that says something: never wrong, if not pretty."""
    units = [without_lead(unit) for unit in units_to_write(statement)]
    name = given_name(statement)
    telling = [_CALL_ME.sub("", unit) for unit in units if _says_something(unit, name)]
    return "\n".join(as_note(unit) for unit in telling or units)


def _names_somebody(text: str) -> bool:
    return any(word[:1].isupper() for word in content_words(text))


def _says_something(unit: str, name: str) -> bool:
    if not stems(unit) - stems(f"{name} name introduce way speaking"):
        return False
    if CJK.search(unit):
        return (len(unit) > 6 or bool(relations(unit))) and not (
            name and name in unit and len(unit) - len(name) < 8 and introduces(unit)
        )
    of_a_third = is_of_a_third(unit) and not re.match(
        r"(It|That|This|There|What|If|When|As|So|But|And|In|On|At|Not|All)\b", unit
    )
    return is_personal(unit) or of_a_third or is_caution(unit) or bool(relations(unit) or numbers(unit) or names(unit))


_FORM = (  # words a note may add of its own
    "The user wants name likes loves lives works has prefers favorite favourite new answers replies messages "
    "姓名 名字 用户 希望 喜欢 工作 地点 职业 住址 地址 电话 住在"
)


def _draft(model: Model, label: str, lines: tuple[str, ...], message: str) -> tuple[int, str]:
    """The number of the line that gives way, 0 for none, and a note."""
    message, kind = clip(message, 1500), label if label in ("style", "archive") else "fact"
    schema = {
        "type": "object",
        "properties": {
            "replaces": {"type": "integer", "enum": list(range(len(lines) + 1))},
            "note": {"type": "string", "maxLength": MAX_NOTE},
        },
        "required": ["replaces", "note"],
        "additionalProperties": False,
    }
    messages = [*examples.write_prefix(), examples.write_message(kind, lines, message)]
    try:
        answer = json.loads(model.json("write", messages, schema, max_tokens=120))
    except ValueError:  # cut off: use nothing of it
        return 0, ""
    replaces = int(answer["replaces"])
    return replaces if replaces <= len(lines) else 0, str(answer["note"]).strip()


def _tells_a_change(message: str, label: str) -> bool:
    return label == "changed" or (label == "new" and _marks_a_change(message))


def _marks_a_change(message: str) -> bool:
    return is_change(message) or is_correction(message)


def _choices(block: PromptBlock, message: str, written: list[str]) -> tuple[str, ...]:
    """The lines that may have become untrue: those with words or a topic in common, else the nearest few."""
    lines = _standing_lines(block, written)
    near = [line for line in lines if stems(line) & stems(message) or topics(line) & topics(message)]
    return tuple((near or lines)[-MAX_LINES:])


def _standing_lines(block: PromptBlock, written: Sequence[str] = ()) -> list[str]:
    """The lines of a block that tell what is so; what was so before, or was just `written`, is not touched again."""
    lines = [line for line in lines_of(block) if not line.startswith(BEFORE)]
    return [line for line in lines if not any(line in text for text in written)]


def _apart(block: PromptBlock, old: str, new: str) -> str:
    """What was before on a line of its own, whatever stood behind the old text."""
    rest = block.value.partition(old)[2].partition("\n")[0]
    return f"{new}\n" if "\n" in new and rest.strip() else new


def _fits(block: PromptBlock, old: str, new: str) -> bool:
    """Whether the block has room for the new text in place of the old."""
    return len(block.value) - len(old) + len(new) <= block.limit


def _replace(block: PromptBlock, old: str, new: str) -> Write:
    return Write(REPLACE, {"label": block.label, "old_content": old, "new_content": new})


def _insert(prompt: Prompt, text: str) -> Write | None:
    return Write(INSERT, {"content": text}) if _can(prompt, INSERT) and text.strip() else None


def _can(prompt: Prompt, name: str) -> bool:
    return any(function.name == name for function in prompt.functions)


def _same_heading(old: str, note: str) -> bool:
    head = re.split(r"[:：]", old, maxsplit=1)
    return len(head) == 2 and bool(stems(head[0])) and note.lower().startswith(head[0].strip().lower())

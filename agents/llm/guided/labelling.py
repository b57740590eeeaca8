"""What a user message asks for: the model labels it, rules keep the label honest."""

import re

from agents.llm.guided import examples
from agents.llm.guided.asking import asks_everything, asks_how, asks_task, parts_of
from agents.llm.guided.evidence import notes_give
from agents.llm.guided.model import Model
from agents.llm.guided.naming import chinese_names
from agents.llm.guided.notes import nearest_lines, notes_for
from agents.llm.guided.searching import asks_to_find, asks_to_keep, is_command, names_archive, speaks_of_storage
from agents.llm.guided.signs import (
    asks_advice,
    introduces,
    is_caution,
    is_change,
    is_correction,
    is_lasting,
    is_on_topic,
    is_personal,
    sets_style,
    tells_plan,
)
from agents.llm.guided.situation import Situation
from agents.llm.guided.words import (
    CJK,
    STOP_WORDS,
    clip,
    mentions,
    names,
    overlap,
    stems,
    without_greeting,
)
from agents.llm.types import Prompt

READING = ("chat", "known", "find", "past")
TELLING = ("chat", "new", "changed", "style", "save", "find", "past")
_OF_THE_DAY = re.compile(
    r"(?<!since )\b(today|tonight|right now|yesterday|this (morning|afternoon|evening)|so (tired|bored|hungry)|"
    r"feel(s|ing)?)\b|今天|今晚|昨天|刚才|好累",
    re.IGNORECASE,
)
_SMALL_TALK = re.compile(r"^\W*(it['’]s|that['’]s|what an?|the weather|today is)\b|^今天(天气|是)", re.IGNORECASE)
_LABEL_NOTES = 300  # characters; longer notes make the model take everything for new


def label_event(prompt: Prompt, situation: Situation, model: Model) -> str:
    """One of the eight labels. One model call, two where it cannot be told from words where an answer stands.

    A question may not write memory: its labels are those that read. A message that also tells something about the user
    is labelled by what it tells; the reply after the write answers the question.
    """
    parts = parts_of(situation.text)
    told, asked = parts.told, parts.asked
    if not asked:
        return _telling(prompt, situation, model, situation.text)
    lasts = introduces(told) or is_lasting(told) or is_caution(told)
    if told and (lasts or (_is_of_their_life(prompt, told) and len(stems(told)) > 1)):
        label = _telling(prompt, situation, model, told)
        if label in ("new", "changed", "style", "save"):
            return "new" if label == "save" and not names_archive(told) else label
    if asks_everything(asked):
        return "known"
    if (
        asks_advice(asked)
        or (asks_task(asked) and not is_command(asked))
        or (asks_how(asked) and overlap(asked, notes_for(prompt, asked, 600)) <= 0.5)
    ):
        return "chat"
    return _where_answer_is(prompt, situation, model, _ask(prompt, situation, model, asked, READING))


def _telling(prompt: Prompt, situation: Situation, model: Model, text: str) -> str:
    label = _ask(prompt, situation, model, without_greeting(text), TELLING)
    if label in ("chat", "new", "find") and sets_style(text):
        return "style"
    if label == "new" and _SMALL_TALK.match(text) and not (is_personal(text) or is_correction(text) or is_change(text)):
        return "chat"
    if label == "save" and asks_to_find(text):
        return "find"
    if label == "save" and not asks_to_keep(text):
        label = "new"
    different = is_change(text) and overlap(text, notes_for(prompt, text, 600)) > 0.2
    told = (
        introduces(text) or is_lasting(text) or tells_plan(text) or different or _tells_more(text) or is_caution(text)
    )
    if told and (label in ("chat", "past") or (label == "find" and not is_command(text))):
        return "new"
    if label == "style" and not sets_style(text):
        return "changed" if is_correction(text) else "new" if told or is_personal(text) else "chat"
    return label


def _tells_more(text: str) -> bool:
    """Whether the speaker says several things of themselves that need not be over tomorrow."""
    return is_personal(text) and len(stems(text)) > 3 and not _OF_THE_DAY.search(text)


def _where_answer_is(prompt: Prompt, situation: Situation, model: Model, label: str) -> str:
    """Core memory and conversation first, search where they do not hold the answer, neither for general questions."""
    message = parts_of(situation.text).asked
    if label in ("find", "past") and is_command(message):
        return label
    if not stems(message):
        return "known"
    given = notes_give(prompt, message)
    if given and label in ("known", "find"):
        return "known"
    about_storage = speaks_of_storage(message)
    notes = notes_for(prompt, message, 600)
    shared = overlap(message, "\n".join([notes, *situation.said, prompt.summary]))
    general = label in ("chat", "known") or shared < 0.5
    noted = _is_about_user(prompt, message) or _is_noted(notes, message) or given
    if general and not about_storage and not noted:
        return "chat"
    if shared == 1.0 or (label == "known" and shared > 0.5):
        return "known"
    if any(is_on_topic(line, message) for line in notes.splitlines()):
        return "known"
    if shared == 0 and ((label in ("find", "past") and not situation.said) or (label == "chat" and not about_storage)):
        return label
    if _says(model, message, nearest_lines([*notes.splitlines(), *situation.said[-8:]], message, 500)):
        return "known"
    return "find" if label == "known" or (label == "chat" and about_storage) else label


def answers(model: Model, question: str, result: str) -> bool:
    """Whether a search found what was asked for; a search by meaning always finds something. At most one model call.

    Half of the question's words are enough in a single hit, not in a page of them.
    """
    if not stems(question):
        return True
    shared, enough = overlap(question, result), 0.5
    if shared > enough or (shared == enough and "\n" not in result.strip()):
        return True
    return _says(model, question, clip(result, 800))


def _says(model: Model, question: str, notes: str) -> bool:
    message = examples.check_message(notes.replace("\n", " "), clip(question, 400))
    return model.word("check", [*examples.check_prefix(), message], ("yes", "no")) == "yes"


def _is_about_user(prompt: Prompt, message: str) -> bool:
    """Whether a question is about the user's own life or about someone the notes name."""
    notes = notes_for(prompt, message, 2000)
    asked = set(re.findall(r"[a-z]+", message.lower()))  # “is megan seeing anyone?”
    named = any(mentions(notes, name) for name in names(message)) or any(
        name in message for name in chinese_names(notes)
    )
    return is_personal(message) or named or bool(names(notes) & asked)


def _is_noted(notes: str, message: str) -> bool:
    """Whether one line has most words of a question that does not say whose they are: “Which day is practice?”."""
    asked = stems(message)
    return any(len(asked & stems(line)) >= max(2, 0.6 * len(asked)) for line in notes.splitlines())


def _is_of_their_life(prompt: Prompt, told: str) -> bool:
    """Whether a statement speaks of the user or of somebody whom the notes name, also at its beginning."""
    notes = notes_for(prompt, told, 2000)
    words = {word.lower() for word in re.findall(r"\b[A-Z]\w+", told)} - STOP_WORDS
    return (
        is_personal(told)
        or any(mentions(notes, word) for word in words)
        or any(word.startswith(name) for word in told.lower().split() for name in names(notes) if len(name) > 2)
        or bool(CJK.search(told) and overlap(told, notes))
    )


def _ask(prompt: Prompt, situation: Situation, model: Model, message: str, allowed: tuple[str, ...]) -> str:
    before = clip(situation.conversation[-1].text, 120) if len(message) < 20 and situation.conversation else ""
    notes = notes_for(prompt, message, _LABEL_NOTES).replace("\n", " ")
    messages = [*examples.label_prefix(), examples.label_message(notes, before, clip(message, 800))]
    return model.word("label", messages, allowed)

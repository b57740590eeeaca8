"""Which storage a question goes to, and with which words. No model call: what is only cut out cannot be invented."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from agents.llm.guided.situation import Line
from agents.llm.guided.words import CJK, clip, content_words
from agents.llm.types import Prompt

CONVERSATION, BY_DATE, ARCHIVAL = "conversation_search", "conversation_search_date", "archival_memory_search"
_ARCHIVE = re.compile(
    r"\b(archiv\w*|documents?|files?|pdfs?|uploads?|uploaded|manuals?|papers?|notes?)\b|档案|归档|存档|文件|文档|资料|手册|上传|笔记",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\b(conversations?|chats?|we (said|say|talk(ed)?|discuss(ed)?|sp(oke|eak)|chat(ted)?)|(i|you) (say|said|tell|told|"
    r"mention(ed)?|ask(ed)?)|messages?|history)\b|聊|说过|提过|提到|对话|谈|讲过|告诉过",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\b(search|look(ing)? (it |that )?(up|in|into|through|for)|archiv\w*|did we|have we|"
    r"we (said|talked|discussed|spoke)|"
    r"(past|earlier|previous|old|last) (conversations?|chats?|messages?|talks?))\b"
    r"|搜|查找|查一|翻一|检索|档案|存档|我们.{0,6}(聊|说|谈)",
    re.IGNORECASE,
)
_FIND = re.compile(r"\b(search|look|find|check|retrieve|fetch)\b|查|搜|找|检索|翻", re.IGNORECASE)
_KEEP = re.compile(
    r"\b(save|store(?=:? (?:this|that|it|my|the|our|in|for)\b)|keep|put|add|note|remember|write)\b"
    r"|存(?!档)|保存|记|放|写",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(no (results?|matches|passages?|messages?|entries)|nothing|none|"
    r"storage is empty|0 (results?|of 0)|showing 0|0 found|not found)\b|没有找到|无结果",
    re.IGNORECASE,
)
_COMMAND_LIST = """
search look looking find archive archival memory memories conversation conversations past earlier previous previously
talk talked talking say said saying tell told mention mentioned discuss discussed speak spoke chat word words check
please last week weeks month months yesterday today night day days ago time recall history message messages stored
saved kept anything something give show see whether ever already document documents file files upload uploaded note
notes
"""
_COMMAND_WORDS = frozenset(re.findall(r"\S+", _COMMAND_LIST))
_CHINESE_FILLER = re.compile(
    r"请|帮我|搜索|搜一下|搜|查找|查一下|查|找一下|找|一下|我们|你|我|上次|上周|上个月|之前|以前|昨天|前几天|那天|过去|聊天记录|聊天|对话|记录|"
    r"聊过|聊|说过|说|提到过|提到|提过|谈过|谈|讲过|告诉过|告诉|记得|还|关于|什么|哪里|哪儿|哪|谁|多少|几点|几号|几|怎么|是不是|有没有|是|的|了|吗|呢|过|"
    r"跟|和|与|把|给|在|里面|里|中|档案|存档|归档|文件|文档|资料|叫|到"
)


_DAY = r"\b\d{4}-[01]\d-[0-3]\d\b"
_HIT = re.compile(r"^\[[^\]]*?(?P<day>\d{4}-\d\d-\d\d)[^\]]*\] (?:(?P<who>person|you): )?", re.MULTILINE)
MAX_HITS, MAX_HIT = 6, 300  # lines, weight of one


@dataclass(frozen=True)
class Search:
    """A call of one of the three search functions."""

    name: str
    arguments: dict[str, Any]


def is_command(text: str) -> bool:
    """Whether the user says where to look, so that what core memory holds does not settle it."""
    return _COMMAND.search(text) is not None


def asks_to_find(text: str) -> bool:
    """Whether the user says to look for something and not to keep it."""
    return _FIND.search(text) is not None and _KEEP.search(text) is None


def asks_to_keep(text: str) -> bool:
    """Whether the user says to keep something."""
    return _ARCHIVE.search(text) is not None or (_KEEP.search(text) is not None and not re.search(r"\bput\b", text))


def names_archive(text: str) -> bool:
    """Whether the user says that it is for the archive."""
    return _ARCHIVE.search(text) is not None


def speaks_of_storage(text: str) -> bool:
    """Whether the message speaks of a storage or of earlier talk at all."""
    return bool(_COMMAND.search(text) or _TALK.search(text) or _ARCHIVE.search(text))


def found_nothing(result: str) -> bool:
    """Whether a search result says that it is empty."""
    return not result.strip() or _EMPTY.search(result[:200]) is not None


def essence(result: str) -> str:
    """A search result short enough for a small model: the best hits, each with its day and who said it."""
    lines = [line for line in result.splitlines() if line.strip() and not line.startswith("Showing ")]
    return "\n".join(clip(_HIT.sub(_short_stamp, line).strip(), MAX_HIT) for line in lines[:MAX_HITS])


def _short_stamp(hit: re.Match[str]) -> str:
    who = {"person": "the user said: ", "you": "you said: "}.get(hit["who"] or "", "")
    return f"({hit['day']}) {who}"


def search(prompt: Prompt, message: str, before: list[Line], time: str) -> Search | None:
    """The search for a message, or None if the agent has no such function."""
    query = query_for(message, before)
    names = {function.name for function in prompt.functions}
    days = _days(message, time)
    if days and BY_DATE in names and not query_for(message, []) and not _ARCHIVE.search(message):
        return Search(BY_DATE, {"start_date": days[0].isoformat(), "end_date": days[1].isoformat(), "page": 1})
    preferred = ARCHIVAL if _ARCHIVE.search(message) and not _TALK.search(message) else CONVERSATION
    for name in (preferred, CONVERSATION, ARCHIVAL):
        if name in names:
            return Search(name, {"query": query or clip(message, 200), "page": 1})
    return None


def query_for(message: str, before: list[Line]) -> str:
    """The words of the message that carry its topic; with none, those of what the user said before."""
    words = [word for word in content_words(message) if word.lower() not in _COMMAND_WORDS]
    words += [part for part in re.split(r"[^\w]+", _CHINESE_FILLER.sub(" ", _cjk_only(message))) if part]
    if words:
        return clip(" ".join(dict.fromkeys(words)), 200)
    earlier = next((line.text for line in reversed(before) if line.speaker == "user"), "")
    return query_for(earlier, []) if earlier else ""


def _cjk_only(text: str) -> str:
    return "".join(char if CJK.match(char) else " " for char in text)


def _days(message: str, time: str) -> tuple[date, date] | None:
    """The first and last day a message speaks of; needs the event's own time (a text with an ISO day)."""
    dates = [date.fromisoformat(day) for day in re.findall(_DAY, message) if _is_date(day)]
    if dates:
        return min(dates), max(dates)
    stamped = next((day for day in re.findall(_DAY, time) if _is_date(day)), None)
    if stamped is None:
        return None
    today = date.fromisoformat(stamped)
    if re.search(r"\byesterday\b|昨天", message, re.IGNORECASE):
        return today - timedelta(days=1), today - timedelta(days=1)
    if re.search(r"\blast week\b|上周|上个星期", message, re.IGNORECASE):
        monday = today - timedelta(days=today.weekday() + 7)
        return monday, monday + timedelta(days=6)
    return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True

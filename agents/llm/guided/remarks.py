"""The bracketed lines that tell a reply what it needs to know, in Chinese for a Chinese message.

A small model answers in the language of what stands nearest, so these may not be English only.
"""

import re
from typing import Literal

from agents.llm.guided.words import CJK

Language = Literal["en", "zh", "other"]
_ENGLISH = re.compile(
    r"\b(the|a|an|is|are|was|were|am|i|you|my|your|me|do|does|did|what|where|who|how|when|why|which|to|of|in|and|"
    r"it|that|this|"
    r"please|hi|hello|hey|thanks|thank|good|yes|no|ok|okay|not|have|has|had|been|can|with|for|on|we|our|us|he|she|they|"
    r"at|by|from|but|now)\b",
    re.IGNORECASE,
)
_TEXTS = {
    "notes": ("Notes about the user: {}", "关于用户的笔记：{}"),
    "found": ("Found in memory: {}", "在记忆中找到：{}"),
    "nothing": (
        "Your memory was searched and holds nothing about this. Tell the user honestly that you do not know it yet.",
        "记忆里没有找到相关内容。请如实告诉用户你还不知道这件事。",
    ),
    "saved": (
        "You will remember this. Answer in one kind sentence, speaking to “you”.",
        "你会记住这件事。用一句亲切的话回应，称用户为“你”。",
    ),
    "stored": (
        "This is now stored in your archive. Say so in one short sentence.",
        "内容已存入档案。用一句话告诉用户。",
    ),
    "style": (
        "You will behave like this from now on. Say so in one short sentence.",
        "你以后会这样做。用一句话告诉用户。",
    ),
    "failed": ("This could not be done: {}", "这件事没有做成：{}"),
    "general": (
        "This is not about the notes. Answer it from what you know of the world; do what is asked.",
        "这不是关于笔记的问题。请用你的常识回答，并照要求做。",
    ),
    "beside": ("What the user told is noted already. Now do this: {}", "用户说的事已经记下。现在请回应：{}"),
    "caution": ("Important: {} Suggest only what is safe with that.", "重要：{}说出具体的例子，避开不适合的。"),
    "advice": ("Name one or two real examples.", "说出一两个具体的例子。"),
    "ideas": (
        "Name five different ones, each in one to three words, with commas between, and nothing else.",
        "列出五个不同的，每个只写名称，用顿号隔开，不写别的。",
    ),
    "known": ("Answer from the notes, in their own words.", "根据笔记，用原话回答。"),
    "picture": (
        "A picture came with this. You cannot see pictures. Tell the user so in one short sentence.",
        "用户发来了一张图片。你看不到图片。用一句话告诉用户。",
    ),
    "sum": ("Worked out: {}", "已算出：{}"),
    "time": ("It is {}", "现在是 {}"),
    "back": ("The user has just come back. Greet them in one sentence.", "用户刚回来。用一句话问候。"),
    "idle": ("Nobody wrote anything new. Say in one short sentence that you are here.", "没有新消息。用一句话说你在。"),
    "language": ("Answer in the language of the user's message.", "请用中文回答。"),
}


def language_of(text: str) -> Language:
    """Chinese if it has Chinese characters, no kana or hangul; English if it has a common English word, or is short."""
    if CJK.search(text):
        return "other" if re.search(r"[\u3040-\u30ff\uac00-\ud7af]", text) else "zh"
    return "en" if _ENGLISH.search(text) or len(text) < 12 else "other"


def remark(name: str, message: str, value: str = "") -> str:
    """One bracketed line in the language of `message`."""
    english, chinese = _TEXTS[name]
    return f"[{(chinese if language_of(message) == 'zh' else english).format(value)}]"


_OPENINGS = {
    "met": ("Nice to meet you", "很高兴认识你|你好"),
    "saved": ("Thanks for telling me|Got it|I'll remember", "好的，|谢谢你告诉我|记住了|我记住了|恭喜"),
    "sad": ("I'm so sorry", "很抱歉听到|我很难过"),
    "stored": ("Done|Stored|It is in the archive|I've put", "好的，|已存|已经"),
    "style": ("Sure|Of course|Gladly|Okay|Understood|All right", "好的|没问题|当然|好呀|明白"),
    "nothing": (
        "I don't know|I do not know|I don't have|I couldn't find|Sorry, I|I'm sorry, I",
        "我还不知道|我不知道|抱歉，我|对不起，我|我没有找到",
    ),
    "known": ("You |Your |You're |As far as I know, you", "你|您|对，你"),
    "found": ("You |Your |You're |I don't know|I couldn't find", "你|您|对，你|我还不知道"),
    "caution": ("Since you", "你可以|可以|建议|推荐|试试"),
    "advice": (
        "You could|You can|You should|You might|How about|I'd suggest|Try |Maybe |Yes, |No, ",
        "你可以|可以|建议|推荐|试试|不妨|应该|最好",
    ),
}


def openings(name: str, message: str) -> tuple[str, ...]:
    """How such a reply may begin, so that a small model speaks to the user, not as the user; empty for any."""
    language = language_of(message)
    if name not in _OPENINGS or language == "other":
        return ()
    return tuple(_OPENINGS[name][language == "zh"].split("|"))

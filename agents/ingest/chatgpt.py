"""A conversation as ChatGPT exports it: a tree of messages, of which the branch that was seen last is followed."""

import re
from collections.abc import Iterator
from typing import Any

from agents.ingest.conversations import ASSISTANT, PERSON, Conversation, Said, named, shortened, time_of

SERVICE = "ChatGPT"
NOT_SAID = {"user_editable_context", "model_editable_context", "thoughts", "reasoning_recap", "tether_browsing_display"}
SHOWN_TO = ("all", "python", "canmore")  # recipients whose messages the page shows
CITATION = re.compile("\ue200[^\ue201]*\ue201|【[^】]*†[^】]*】")
POINTERS = {"image": "[Image]", "audio": "[Audio]", "video": "[Video]"}


def read(raw: dict[str, Any]) -> Conversation:
    """What was said in it."""
    said = [message for node in _branch(raw) if (message := _said(node.get("message")))]
    key = raw.get("conversation_id") or raw.get("id")
    return Conversation.of(SERVICE, key, raw.get("title"), time_of(raw.get("create_time")), said)


def _branch(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """From the root to the answer that was shown last; to the newest one where that is not told."""
    mapping = raw.get("mapping")
    nodes = {key: node for key, node in mapping.items() if isinstance(node, dict)} if isinstance(mapping, dict) else {}
    at = raw.get("current_node")
    if not isinstance(at, str) or at not in nodes:
        at = max(nodes, key=lambda key: _time(nodes[key]), default=None)
    branch: list[dict[str, Any]] = []
    while isinstance(at, str) and at in nodes:
        node = nodes.pop(at)  # taken out: parents in a circle end somewhere
        branch.append(node)
        at = node.get("parent")
    return branch[::-1]


def _time(node: dict[str, Any]) -> float:
    message = node.get("message")
    return (time_of(message.get("create_time")) or 0.0) if isinstance(message, dict) else -1.0


def _said(message: Any) -> Said | None:
    """A message as the person saw it; None for what they did not."""
    if not isinstance(message, dict):
        return None
    author, content, about = (_dict(message.get(name)) for name in ("author", "content", "metadata"))
    role, kind = author.get("role"), str(content.get("content_type"))
    if (
        role not in ("user", "assistant", "tool")
        or kind in NOT_SAID
        or about.get("is_visually_hidden_from_conversation")
    ):
        return None
    recipient = str(message.get("recipient") or "all").partition(".")[0]
    text = _tool_text(kind, content) if role == "tool" else _text(kind, content)
    if recipient not in SHOWN_TO:
        return None
    if recipient != "all" or (kind == "code" and role == "assistant"):
        text = shortened("Code", text)
    attached = about.get("attachments")
    parts = [*named(item.get("name") for item in _dicts(attached)), CITATION.sub("", text).strip()]
    text = "\n".join(filter(None, parts))
    return Said(PERSON if role == "user" else ASSISTANT, time_of(message.get("create_time")), text) if text else None


def _text(kind: str, content: dict[str, Any]) -> str:
    if kind == "execution_output":
        return shortened("Result", str(content.get("text") or ""))
    parts = content.get("parts")
    if isinstance(parts, list):
        return "\n".join(filter(None, map(_part, parts)))
    return str(content.get("text") or content.get("result") or "")


def _tool_text(kind: str, content: dict[str, Any]) -> str:
    """Of what a tool answered the person sees results of code, and pictures."""
    if kind == "execution_output":
        return _text(kind, content)
    parts = content.get("parts")
    return "\n".join(_part(part) for part in _dicts(parts)) if kind == "multimodal_text" else ""


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    kind = str(part.get("content_type"))
    if isinstance(part.get("text"), str):  # what was heard, among others
        return str(part["text"])
    return next((shown for sign, shown in POINTERS.items() if sign in kind), "")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(values: Any) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else iter(())

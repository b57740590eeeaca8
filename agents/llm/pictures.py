"""Pictures on their way to a model: read from their files as a request goes out, never kept in a prompt."""

import base64
from typing import Any

from django.core.files.storage import default_storage

from agents.llm.types import ChatMessage

CANNOT_SEE = "[A picture came with this. You cannot see pictures. Say so if it matters.]"
IS_GONE = "[A picture came with this. Its file is gone.]"


def with_parts(message: ChatMessage, sees: bool) -> ChatMessage:
    """The message with its pictures as parts of its content, or a note in their place where the model sees none."""
    if "pictures" not in message:
        return message
    plain = {name: value for name, value in message.items() if name != "pictures"}
    parts: list[dict[str, Any]] = [{"type": "text", "text": plain["content"]}]
    parts += [_part(picture) for picture in message["pictures"]] if sees else [_words(CANNOT_SEE)]
    if all(part["type"] == "text" for part in parts):
        return {**plain, "content": "\n".join(part["text"] for part in parts)}
    return {**plain, "content": parts}


def in_words(message: ChatMessage) -> ChatMessage:
    """A message without pictures, for a server that refuses them."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    texts = [part["text"] if part["type"] == "text" else CANNOT_SEE for part in content]
    return {**message, "content": "\n".join(texts)}


def _part(picture: dict[str, Any]) -> dict[str, Any]:
    try:
        with default_storage.open(picture["file"]) as file:
            data = base64.b64encode(file.read()).decode()
    except OSError:
        return _words(IS_GONE)
    return {"type": "image_url", "image_url": {"url": f"data:{picture['kind']};base64,{data}"}}


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}

"""Exports of ChatGPT and Claude, in the shapes that those services write."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.agents.documents import zipped

Raw = dict[str, Any]
Turn = tuple[str, str]  # who, and what

START = datetime(2023, 5, 4, 9, 30, tzinfo=UTC)
WORDS = (
    *("lamp", "tower", "harbour", "letter", "garden", "recipe", "planet", "violin"),
    *("ticket", "bridge", "winter", "market", "river", "budget", "poem"),
)


def uuid(seed: str) -> str:
    return str(UUID(int=random.Random(seed).getrandbits(128), version=4))


def node(key: str, parent: str | None, message: Raw | None, *children: str) -> Raw:
    return {"id": key, "message": message, "parent": parent, "children": list(children)}


def message(role: str, text: str, at: Any = None, **changes: Any) -> Raw:
    """As ChatGPT writes one."""
    return {
        "id": uuid(text),
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "update_time": None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        "channel": None,
        **changes,
    }


def chatgpt(title: str, *messages: Raw, at: datetime = START, **changes: Any) -> Raw:
    """A conversation of these messages, one after the other, below the two that nobody sees."""
    keys = ["client-created-root", "system", *(f"{title} {number}" for number in range(len(messages)))]
    hidden = message("system", "", metadata={"is_visually_hidden_from_conversation": True})
    nodes = [None, hidden, *messages]
    mapping = {
        key: node(key, keys[number - 1] if number else None, said, *keys[number + 1 : number + 2])
        for number, (key, said) in enumerate(zip(keys, nodes, strict=True))
    }
    return {
        "title": title,
        "create_time": at.timestamp(),
        "update_time": (at + timedelta(hours=1)).timestamp(),
        "mapping": mapping,
        "moderation_results": [],
        "current_node": keys[-1],
        "conversation_id": uuid(title),
        "id": uuid(title),
        "default_model_slug": "gpt-4",
    } | changes


def chatgpt_talk(title: str, *turns: Turn, at: datetime = START) -> Raw:
    """One in which these took turns, a minute each."""
    said = [
        message(role, text, (at + timedelta(minutes=number)).timestamp()) for number, (role, text) in enumerate(turns)
    ]
    return chatgpt(title, *said, at=at)


def claude(name: str, *turns: Turn, at: datetime = START, **changes: Any) -> Raw:
    """A conversation as Claude writes it."""
    messages = []
    for number, (sender, text) in enumerate(turns):
        time = f"{at + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S.%f}Z"
        messages.append(
            {
                "uuid": uuid(f"{name} {number}"),
                "text": text,
                "content": [{"start_timestamp": time, "type": "text", "text": text, "citations": []}],
                "sender": sender,
                "created_at": time,
                "updated_at": time,
                "attachments": [],
                "files": [],
            }
        )
    time = at.isoformat().replace("+00:00", "Z")
    return {
        "uuid": uuid(name),
        "name": name,
        "summary": "",
        "created_at": time,
        "updated_at": time,
        "account": {"uuid": uuid("account")},
        "chat_messages": messages,
    } | changes


def written(*conversations: Raw) -> bytes:
    return json.dumps(list(conversations)).encode()


def packed(*conversations: Raw, name: str = "conversations.json") -> bytes:
    """As the zip is downloaded, with what lies beside it."""
    beside: dict[str, str | bytes] = {"user.json": "{}", "chat.html": "<html></html>", "message_feedback.json": "[]"}
    return zipped({**beside, name: written(*conversations)})


def sentences(seed: str, count: int) -> str:
    chosen = random.Random(seed)
    return " ".join(f"The {' '.join(chosen.choices(WORDS, k=9))} of {seed}." for _ in range(count))


def many(count: int, turns: int, *, of: str = "chatgpt") -> list[Raw]:
    """So many conversations of so many messages, each a day after the other."""
    make, people = (chatgpt_talk, ("user", "assistant")) if of == "chatgpt" else (claude, ("human", "assistant"))
    return [
        make(
            f"Talk {number}",
            *((people[turn % 2], sentences(f"{number}.{turn}", 2)) for turn in range(turns)),
            at=START + timedelta(days=number % 600),
        )
        for number in range(count)
    ]

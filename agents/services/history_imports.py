"""An export of ChatGPT or Claude becomes an agent that remembers it: what was said there is its recall storage."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from shutil import copyfileobj
from typing import IO, TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from agents import selectors
from agents.exceptions import InvalidInput
from agents.external_context import recall_storage
from agents.functions import registry
from agents.ingest.conversations import PERSON
from agents.ingest.reader_process import unpack
from agents.main_context import fifo_queue, system_instructions
from agents.models import Agent, Block, Message
from agents.prompts import HISTORY
from agents.services.agent_files import STREAMED
from agents.services.agent_parts import BATCH, BlockPart, Character, Queue, agent_make
from agents.services.agents import HUMAN_BLOCK, PERSONA_BLOCK, with_own_name
from agents.services.model_choice import ModelChoice
from agents.text.clean import storable

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind = Message.Kind
MOST_MESSAGES = STREAMED["messages"][1]
A_MOMENT = timedelta(milliseconds=1)  # between messages that the export gives one time


@dataclass(frozen=True)
class _Place:
    """Where a conversation begins in the spool; `at` is when it began, in seconds since 1970."""

    at: float
    begins: int


def history_import(*, owner: "User", content: IO[bytes], name: str) -> Agent:
    """A new agent; without a `name` it is called as the service. Raises InvalidInput; nothing is made then."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        places, service = _spooled(content, spool)
        if not places:
            raise InvalidInput(_("There is no conversation in it in which something was said."))
        return agent_make(
            owner=owner,
            character=_character(name or service),
            blocks=_blocks(owner, name or service),
            rows=_SaidRows(spool, places, service),
        )


def _spooled(content: IO[bytes], spool: IO[str]) -> tuple[list[_Place], str]:
    """Write the conversations down; their places in the order in which they began, and whose they are."""
    places: list[_Place] = []
    service = ""
    with tempfile.NamedTemporaryFile() as file:
        copyfileobj(content, file)
        file.flush()
        for found in unpack(file.name, lambda: None):
            conversation = json.loads(found.text)
            service = service or conversation["service"]
            places.append(_Place(conversation["at"] or 0.0, spool.tell()))
            spool.write(found.text + "\n")
    return sorted(places, key=lambda place: place.at), service


def _character(name: str) -> Character:
    return Character(
        name=name,
        choice=ModelChoice(),
        system_instructions=system_instructions.default(),
        functions=frozenset(registry.registered()),
        ask_first=frozenset(),
        own={},
    )


def _blocks(owner: "User", name: str) -> list[BlockPart]:
    """Of the first presets, as a new agent of the page has them."""
    persona, human = selectors.personas_for(owner).first(), selectors.humans_for(owner).first()
    return [
        BlockPart(PERSONA_BLOCK, with_own_name(persona.text, owner, name) if persona else "", {}),
        BlockPart(HUMAN_BLOCK, human.text if human else "", {}),
    ]


class _SaidRows:
    """Messages, the oldest conversation first; nothing of it is in the window, which tells that it is there."""

    def __init__(self, spool: IO[str], places: list[_Place], service: str) -> None:
        self.spool, self.places, self.service = spool, places, service
        self.first: datetime | None = None
        self.last = timezone.now()

    def bring(self, agent: Agent, blocks: dict[str, Block]) -> Queue:
        """Nothing is brought for `blocks`."""
        seq = 0
        waiting: list[Message] = []
        for seq, message in enumerate(self._messages(agent), start=1):
            if seq > MOST_MESSAGES:
                reason = _("It has more than %(most)s messages. Split it and import the parts.")
                raise InvalidInput(reason % {"most": f"{MOST_MESSAGES:,}"})
            message.seq = seq
            waiting.append(message)
            if len(waiting) == BATCH:
                Message.objects.bulk_create(waiting)
                waiting = []
        Message.objects.bulk_create(waiting)
        about = {"service": self.service, "count": f"{len(self.places):,}"}
        days = {"first": f"{self.first or self.last:%Y-%m-%d}", "last": f"{self.last:%Y-%m-%d}"}
        return Queue(seq + 1, seq + 1, HISTORY.format(**about, **days))

    def _messages(self, agent: Agent) -> Iterator[Message]:
        for place in self.places:
            self.spool.seek(place.begins)
            conversation = json.loads(self.spool.readline())
            at = datetime.fromtimestamp(place.at, UTC) if place.at else self.last
            title = conversation["title"] or _("Untitled conversation")
            heading = _("%(service)s: %(title)s") % {"service": conversation["service"], "title": title}
            yield Message(agent=agent, kind=Kind.NOTICE, content=heading, created_at=at)
            for said in conversation["said"]:
                told = datetime.fromtimestamp(said["at"], UTC) if said["at"] else at
                at = max(told, at + A_MOMENT)
                yield self._message(agent, said, at)

    def _message(self, agent: Agent, said: dict[str, str], at: datetime) -> Message:
        self.first, self.last = self.first or at, at
        kind = Kind.USER_MESSAGE if said["speaker"] == PERSON else Kind.ASSISTANT
        message = Message(agent=agent, kind=kind, content=storable(said["text"]), created_at=at)
        message.tokens = fifo_queue.wire_tokens(fifo_queue.wire(message))
        recall_storage.index_words(message)
        return message

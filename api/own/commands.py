"""Slash commands, and what a new agent can be made from."""

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import BaseModel, Field, StrictBool

from agents import commands, selectors
from agents.commands import CommandOutcome
from agents.exceptions import InvalidInput, RollbackConflict
from agents.services import Choices, Hand, Keep, PutBack
from agents.text import diff
from api.access import agent_for, person
from api.answers import answer
from api.asked import Body, only_known
from api.errors import Unfit
from api.ids import key_of, written
from api.letta.shapes import Shape

router = Router(tags=["memweb"])

LONGEST_LINE = 100_000  # characters
CHANGES = {"same": "equal", "added": "insert", "removed": "delete"}


class Preset(BaseModel):
    """A starting text for a block."""

    name: str
    text: str


class Presets(BaseModel):
    """What a new agent can be made from; the person's own first."""

    personas: list[Preset]
    humans: list[Preset]


@router.get("/presets", response=Presets)
@only_known
def presets(request: HttpRequest) -> HttpResponse:
    """Personas and humans."""
    kinds = {"personas": selectors.personas_for(person(request)), "humans": selectors.humans_for(person(request))}
    return answer({kind: [{"name": row.name, "text": row.text} for row in rows] for kind, rows in kinds.items()})


class CommandOut(BaseModel):
    """A slash command. `usage` is its argument as the help shows it."""

    name: str
    usage: str
    help: str
    argument: Literal["none", "count", "text"]
    needs_argument: bool


@router.get("/commands", response=list[CommandOut])
@only_known
def command_list(request: HttpRequest) -> HttpResponse:
    """All slash commands."""
    return answer([_command(command) for command in commands.COMMANDS.values()])


def _command(command: commands.Command) -> Shape:
    told = {"name": command.name, "usage": str(command.usage), "help": str(command.help)}
    return told | {"argument": command.kind, "needs_argument": command.needs_argument}


class Typed(Body):
    """What a person typed."""

    text: str = Field(max_length=LONGEST_LINE)


class Match(BaseModel):
    """Whether it is a command, or one mistyped; if not, the message to send for it."""

    command: bool
    message: str


@router.post("/commands/match", response=Match)
@only_known
def command_match(request: HttpRequest, payload: Typed) -> HttpResponse:
    """Tell a command from a message that begins with a slash."""
    return answer({"command": commands.is_command(payload.text), "message": commands.as_message(payload.text)})


class Choice(Body):
    """What becomes of a block that was edited since: it is kept, or gets the text from before the turn back.

    `put_back` is the revision that was shown in the conflict.
    """

    block_id: str = Field(max_length=40)
    keep: StrictBool = False
    put_back: int | None = Field(None, ge=0, le=2**31 - 1)


class CommandRun(Body):
    """A line that starts with a slash; `confirmed` answers its question with yes."""

    line: str = Field(max_length=LONGEST_LINE)
    confirmed: StrictBool = False
    choices: list[Choice] = Field([], max_length=100)

    def chosen(self) -> Choices:
        """Raises Unfit."""
        chosen: dict[int, Keep | PutBack] = {}
        for choice in self.choices:
            key = key_of("block", choice.block_id)
            if key is None or choice.keep == (choice.put_back is not None):
                raise Unfit("choices", _("Each choice names a block, and either `keep` or `put_back`."))
            chosen[key] = Keep() if choice.put_back is None else PutBack(choice.put_back)
        return chosen


class Outcome(BaseModel):
    """One sentence, or a list to show, or a question, or blocks of which somebody must choose what they say."""

    sentence: str
    title: str
    entries: list[dict[str, str]]
    question: str
    change: list[tuple[str, str]]
    leave: bool
    conflicts: list[dict[str, Any]]


@router.post("/agents/{agent_id}/commands", response=Outcome)
@only_known
def command_run(request: HttpRequest, agent_id: str, payload: CommandRun) -> HttpResponse:
    """Carry out a slash command, as the page's composer does."""
    agent = agent_for(request, agent_id)
    if not commands.is_command(payload.line):
        raise InvalidInput(_("That is no command: a command begins with a slash. /help lists them all."))
    try:
        outcome = commands.command_run(
            agent=agent,
            line=payload.line,
            hand=Hand(person(request), payload.chosen()),
            confirmed=payload.confirmed,
            idempotency_key=request.headers.get("Idempotency-Key", ""),
        )
    except RollbackConflict as error:
        return answer(_outcome(CommandOutcome(question=str(error)), error))
    return answer(_outcome(outcome or CommandOutcome(sentence=_("That was done already."))))


def _outcome(outcome: CommandOutcome, conflict: RollbackConflict | None = None) -> Shape:
    differ = outcome.before or outcome.after
    return {
        "sentence": outcome.sentence,
        "title": outcome.title,
        "entries": [{"head": entry.head, "body": entry.body} for entry in outcome.entries],
        "question": outcome.question,
        "change": change(diff.words(outcome.before, outcome.after)) if differ else [],
        "leave": outcome.leave,
        "conflicts": [
            {
                "block_id": written("block", block.block),
                "label": block.label,
                "current": block.current,
                "before": block.before,
                "revision": block.revision,
            }
            for block in (conflict.conflicts if conflict else ())
        ],
    }


def change(pieces: list[diff.Piece]) -> list[list[str]]:
    """A difference, stretch by stretch: `equal`, `insert` or `delete`, and the text."""
    return [[CHANGES[piece.op], piece.text] for piece in pieces]

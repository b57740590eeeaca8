"""A block's history, to be read: whose change it was, and the words that changed."""

from dataclasses import dataclass, replace

from django.db.models import F, Prefetch, QuerySet
from django.utils.translation import gettext_lazy as _

from agents.models import Block, BlockRevision
from agents.text import diff
from agents.text.diff import Piece

SHOWN = 30  # revisions on a block's page
CONTEXT = 30  # characters around a change in a list
LONGEST = 120  # characters of one change in a list

Editor = BlockRevision.Editor
WHO = {
    Editor.AGENT: (_("agent %(name)s"), _("an agent that is gone")),
    Editor.USER: (_("person %(name)s"), _("a person who is gone")),
    Editor.IMPORT: (_("imported by %(name)s"), _("import")),
    Editor.ROLLBACK: (_("taken back by %(name)s"), _("taken back")),
}


@dataclass(frozen=True)
class Change:
    """A revision against the one before it. `pieces` is None where the texts are too long to be compared."""

    revision: BlockRevision
    pieces: list[Piece] | None

    @property
    def who(self) -> str:
        named, nameless = WHO[Editor(self.revision.editor)]
        who = self.revision.agent if self.revision.editor == Editor.AGENT else self.revision.user
        return str(named % {"name": who} if who else nameless)


def history(block: Block) -> list[Change]:
    """The newest changes, newest first."""
    revisions = list(_with_authors(block.revisions.all())[: SHOWN + 1])
    older = [*revisions[1:], None]
    return [change(new, old) for new, old in zip(revisions, older, strict=True)][:SHOWN]


def change(new: BlockRevision, old: BlockRevision | None) -> Change:
    """What `new` changed; `old` is the revision before it, if there is one."""
    before = old.value if old else ""
    small = len(before) + len(new.value) <= diff.MOST_COMPARED
    return Change(new, diff.words(before, new.value) if small else None)


def last_two() -> "Prefetch[str]":
    """For a list of blocks: their newest revision and the one before, as `last_two`."""
    newest = _with_authors(BlockRevision.objects.filter(number__gte=F("block__revision") - 1))
    return Prefetch("revisions", newest, to_attr="last_two")


def shortened(change: Change) -> Change:
    """For a list: the words around what changed."""
    last = len(change.pieces or []) - 1
    pieces = [_short(piece, first=at == 0, last=at == last) for at, piece in enumerate(change.pieces or [])]
    return replace(change, pieces=pieces if change.pieces is not None else None)


def _short(piece: Piece, *, first: bool, last: bool) -> Piece:
    if piece.op != "same":
        return piece if len(piece.text) <= LONGEST else replace(piece, text=f"{piece.text[:LONGEST]}…")
    if len(piece.text) <= 2 * CONTEXT:
        return piece
    start = "" if first else piece.text[:CONTEXT]
    end = "" if last else piece.text[-CONTEXT:]
    return replace(piece, text=f"{start}…{end}")


def _with_authors(revisions: "QuerySet[BlockRevision]") -> "QuerySet[BlockRevision]":
    return revisions.select_related("user", "agent", "step").order_by("-number")

"""Errors of the engine. Text of any of them may be shown to a person.

AgentsError
├── InvalidInput            what a person typed cannot be taken; nothing was written
│   ├── NameTaken           something of the person's has that name already
│   ├── BelongsToAgent      an agent's own archive is changed with the agent alone
│   ├── QuotaReached        the person has, or has used, as much as the operator lets them
│   ├── BlockOverLimit      text longer than its block allows
│   ├── StaleEdit           the block changed since the form was opened
│   └── RollbackConflict    a block was edited since by somebody else: they must choose what it says
├── FunctionError           the model's mistake: packaged as a failed function result, never raised past the executor
├── LLMError                the endpoint failed for good; its text says what to do
│   └── ContextOverflow     the endpoint says the prompt is too long
├── RunCancelled            someone pressed Stop
└── LeaseLost               another worker took this run over
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class AgentsError(Exception):
    """Any error of the engine."""


class InvalidInput(AgentsError):
    """What a person typed cannot be taken; `str()` says why and what would do. Nothing was written."""


class NameTaken(InvalidInput):
    """Something of the person's has that name, or label, already."""


class BelongsToAgent(InvalidInput):
    """An agent's own archive has its name and goes with it."""


class QuotaReached(InvalidInput):
    """The person has as much as their quota lets them."""


class BlockOverLimit(InvalidInput):
    """The text is longer than its block allows. `tried` and `limit` are in characters."""

    def __init__(self, label: str, tried: int, limit: int) -> None:
        super().__init__(
            ngettext(
                "The block “%(label)s” holds at most %(limit)s character; this text has %(tried)s.",
                "The block “%(label)s” holds at most %(limit)s characters; this text has %(tried)s.",
                limit,
            )
            % {"label": label, "limit": f"{limit:,}", "tried": f"{tried:,}"}
        )


class StaleEdit(InvalidInput):
    """Carries the text that is in the block now, to be shown beside the rejected one.

    `proposed` is what an undo would have put there, when that could not be done without touching later edits.
    """

    def __init__(self, label: str, current_value: str, current_revision: int, proposed: str | None = None) -> None:
        text = _("“%(label)s” was changed while you were editing. Nothing was overwritten: compare both texts.")
        if proposed is not None:
            text = _("“%(label)s” was changed again after that edit. Nothing was overwritten: compare both texts.")
        super().__init__(text % {"label": label})
        self.current_value = current_value
        self.current_revision = current_revision
        self.proposed = proposed


@dataclass(frozen=True)
class Conflict:
    """A block that cannot simply be rolled back: what it says now, and what it said before the turn."""

    block: int
    label: str
    current: str
    revision: int
    before: str


class RollbackConflict(InvalidInput):
    """Blocks were edited by somebody else since the turn that is taken back: a person must choose for each."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__(_("Some memory was edited by somebody else since. Choose what it should say."))
        self.conflicts = conflicts


class FunctionError(AgentsError):
    """The model's mistake; `str()` is what it is told. Never raised past the function executor."""


class LLMError(AgentsError):
    """`str()` is one plain sentence with a way out; `retryable` says whether trying again may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ContextOverflow(LLMError):
    """The endpoint says that the prompt is too long."""


class RunCancelled(AgentsError):
    """Somebody pressed Stop."""


class LeaseLost(AgentsError):
    """Another worker took this run over, or its agent was deleted."""

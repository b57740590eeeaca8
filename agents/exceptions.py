"""Errors of the engine. Text of any of them may be shown to a person.

AgentsError
├── InvalidInput            what a person typed cannot be taken; nothing was written
│   ├── BlockOverLimit      text longer than its block allows
│   └── StaleEdit           the block changed since the form was opened
├── FunctionError           the model's mistake: packaged as a failed function result, never raised past the executor
├── LLMError                the endpoint failed for good; `hint` says what to do
│   └── ContextOverflow     the endpoint says the prompt is too long
├── RunCancelled            someone pressed Stop
└── LeaseLost               another worker took this run over
"""


class AgentsError(Exception):
    pass


class InvalidInput(AgentsError):
    pass


class BlockOverLimit(InvalidInput):
    def __init__(self, label: str, tried: int, limit: int) -> None:
        super().__init__(f"The block “{label}” holds at most {limit:,} characters; this text has {tried:,}.")


class StaleEdit(InvalidInput):
    """Carries the text that is in the block now, to be shown beside the rejected one."""

    def __init__(self, label: str, current_value: str, current_revision: int) -> None:
        super().__init__(f"“{label}” was changed while you were editing. Nothing was overwritten: compare both texts.")
        self.current_value = current_value
        self.current_revision = current_revision


class FunctionError(AgentsError):
    pass


class LLMError(AgentsError):
    """`str()` is one plain sentence with a way out; `retryable` says whether trying again may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ContextOverflow(LLMError):
    pass


class RunCancelled(AgentsError):
    pass


class LeaseLost(AgentsError):
    pass

"""Which functions an agent has: the one answer to it, for prompts, for calls, and for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.exceptions import FunctionError
from agents.functions import installed, registry
from agents.functions.registry import Offered, ValidCall
from agents.llm.types import FunctionSchema, Role
from agents.models import Agent


@dataclass(frozen=True)
class Toolset:
    """An agent's functions by name, in the order in which the model is told about them."""

    functions: Mapping[str, Offered]

    @property
    def schemas(self) -> tuple[FunctionSchema, ...]:
        """As the model is told about them."""
        return tuple(function.schema for function in self.functions.values())

    def validate(self, name: str, arguments: str) -> ValidCall:
        """Check a call as the model wrote it. Raises FunctionError with a sentence the model can act on."""
        function = self.functions.get(name)
        if function is None:
            raise FunctionError(f"There is no function “{name}”. You can call: {', '.join(self.functions)}.")
        return function.validate(arguments)

    def names(self, role: Role) -> frozenset[str]:
        """The functions that have this role."""
        return frozenset(name for name, function in self.functions.items() if function.role == role)


def of(agent: Agent) -> Toolset:
    """What this agent may call: all of memweb's own but those that were detached from it, then installed ones that it
    was given. One query for an agent that was given any."""
    ours = registry.registered()
    functions: dict[str, Offered] = {name: ours[name] for name in ours if name not in agent.detached_functions}
    if agent.attached_functions:
        functions |= installed.by_name(agent.owner_id, name__in=set(agent.attached_functions) - set(ours))
    return Toolset(functions)


def there_are(owner_id: int) -> dict[str, Offered]:
    """Every function that this person's agents can be given, by name: memweb's own, then those installed. One query."""
    return {**registry.registered(), **installed.by_name(owner_id)}

"""The two who talk, by name: search by meaning and by words finds "what did Ann say" only if it knows who Ann is."""

import re
from dataclasses import dataclass

from agents.models import Agent, Message

NAMED = re.compile(r"(?:\bname\b[^\w\n]+(?:is\s+)?|(?:姓名|名字)(?:是|叫|[：: ])+)(\w+)", re.IGNORECASE)
UNKNOWN = {"not", "unknown", "none", "未知", "不详", "不知道"}


@dataclass(frozen=True)
class Speakers:
    """`person_names` are all they are known by here, the best first."""

    agent_name: str
    person_names: tuple[str, ...]

    def name_of(self, message: Message) -> str:
        """Who said it."""
        return self.agent_name if message.kind == Message.Kind.ASSISTANT else self.person_names[0]

    def line(self, message: Message) -> str:
        """A message as a line of the conversation."""
        return f"{self.name_of(message)}: {message.content}"


def speakers_of(agent: Agent) -> Speakers:
    """As core memory has it ("Name: Ann."), else as the person's account does. Two queries."""
    owner = agent.owner
    named = [
        name
        for value in agent.blocks.filter(label="human").values_list("value", flat=True)
        for name in NAMED.findall(value)
        if name.lower() not in UNKNOWN
    ]
    return Speakers(agent.name, (*named, *filter(None, [owner.first_name, owner.get_username()])))

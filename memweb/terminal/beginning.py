"""Which agent to talk to: the one that was named, the only one, one of several, or a new one."""

import json
from collections.abc import Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from rich.console import Console
from rich.text import Text

from memweb.client import Agent, AsyncClient, MemwebError, NameTaken, NotFound, Preset, home
from memweb.terminal.composer import yes
from memweb.terminal.faults import sentence
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line

USUAL_NAME = "Sam"


class NoChoice(MemwebError):
    """There is no agent to talk to, or it is not clear which."""


async def agent_to_talk_to(client: AsyncClient, console: Console, name: str | None) -> Agent:
    """Ask the person where it is not clear. Raises EOFError or KeyboardInterrupt when they leave."""
    asking = _Asking(console)
    if name is not None:
        try:
            return await client.get_agent(name)
        except NotFound as error:
            asking.say(one_line(sentence(error)))
            if not yes(await asking.line(_("Create it? [y/n]"))):
                raise
            return await _created(client, asking, name)
    agents = last_used_first(await client.list_agents())
    if not agents:
        console.print(Text(_("You have no agent yet. Here is your first one.")), highlight=False)
        return await _created(client, asking, None)
    if len(agents) == 1:
        return agents[0]
    rows = [(one_line(agent.name), _about(agent)) for agent in agents]
    chosen = await asking.one_of(_("Whom do you want to talk to?"), [*rows, (_("a new agent"), "")])
    return agents[chosen] if chosen < len(agents) else await _created(client, asking, None)


def only_agent(agents: Sequence[Agent]) -> Agent:
    """The one that is meant where nobody can be asked: the only one, or the one that was used last."""
    if not agents:
        raise NoChoice(_("You have no agent yet. `memweb create` makes one."))
    if len(agents) > 1 and agents[0].id != _last_used():
        names = ", ".join(one_line(agent.name) for agent in agents)
        raise NoChoice(_("Say which agent with --agent. There are: %(names)s.") % {"names": names})
    return agents[0]


def last_used_first(agents: Sequence[Agent]) -> list[Agent]:
    """In the order given, but for that one."""
    last = _last_used()
    return sorted(agents, key=lambda agent: agent.id != last)


def remember(agent: Agent) -> None:
    """It was used last."""
    try:
        home().mkdir(parents=True, exist_ok=True)
        _state().write_text(json.dumps({"last_agent": agent.id}))
    except OSError:  # then it is not remembered
        return


def _last_used() -> str | None:
    try:
        return str(json.loads(_state().read_text())["last_agent"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _state() -> Path:
    return home() / "terminal.json"


def _about(agent: Agent) -> str:
    return one_line(agent.description or agent.block("persona"))


async def _created(client: AsyncClient, asking: "_Asking", name: str | None) -> Agent:
    presets = await client.presets()
    wanted = name or await asking.line(_("Its name:"), USUAL_NAME) or USUAL_NAME
    persona = await asking.preset(_("Who is it?"), presets.personas)
    human = await asking.preset(_("Who are you?"), presets.humans)
    while True:
        try:
            return await client.create_agent(name=wanted, persona=persona, human=human)
        except NameTaken as error:
            asking.say(one_line(sentence(error)))
            wanted = await asking.line(_("Another name:")) or wanted


class _Asking:
    """Questions before a conversation begins."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.session: PromptSession[str] = PromptSession()

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), highlight=False)

    async def line(self, question: str, default: str = "") -> str:
        return (await self.session.prompt_async(f"{question} ", default=default)).strip()

    async def one_of(self, question: str, rows: Sequence[tuple[str, str]]) -> int:
        """The number of a row, from 0; the first if the person only presses Enter."""
        self.say(question, "bold")
        for number, (name, about) in enumerate(rows, 1):
            line = Text(f"{number:3} {name}", no_wrap=True, overflow="ellipsis")
            self.console.print(line.append(f"  {about}", "dim"), highlight=False)
        while True:
            answer = await self.line(_("A number from 1 to %(most)d [1]:") % {"most": len(rows)}) or "1"
            if answer.isdecimal() and 1 <= int(answer) <= len(rows):
                return int(answer) - 1

    async def preset(self, question: str, presets: Sequence[Preset]) -> str:
        """The text of one that is offered, or one of their own."""
        rows = [(one_line(preset.name), one_line(preset.text)) for preset in presets]
        chosen = await self.one_of(question, [*rows, (_("in your own words"), "")]) if rows else 0
        return presets[chosen].text if chosen < len(presets) else await self.line(_("In your own words:"))

"""`memweb run`: one conversation, live. What anybody says through any door comes over one stream and is drawn here."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.text import Text

from memweb.client import (
    Agent,
    AgentMessage,
    AsyncClient,
    Choice,
    CommandOutcome,
    ConnectionLost,
    Cut,
    Delta,
    Dropped,
    Edited,
    Event,
    Gone,
    MemoryEdited,
    MemwebError,
    Message,
    MessageAdded,
    NoServer,
    Notice,
    RunChanged,
    State,
    UserMessage,
    WaitingChanged,
    WaitingMessage,
    home,
)
from memweb.terminal.composer import Composer, yes
from memweb.terminal.draft import Draft
from memweb.terminal.faults import sentence
from memweb.terminal.feed import Back, Lost, feed
from memweb.terminal.language import gettext as _
from memweb.terminal.safe import one_line
from memweb.terminal.screen import Screen

EARLIER = 12  # messages that are shown at first
OVER = ("done", "stopped", "failed")


class Conversation:
    """A terminal's end of a conversation."""

    def __init__(self, client: AsyncClient, agent: Agent, console: Console) -> None:
        self.client, self.agent = client, agent
        self.screen = Screen(console)
        self.draft = Draft()
        self.waiting: tuple[WaitingMessage, ...] = ()
        self.run_id: str | None = None
        self.version: int | None = None
        self.lost = self.gone = False
        self._shown: set[tuple[str, ...]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._composer: Composer

    async def hold(self) -> None:
        """Talk until the person leaves, or the agent is gone."""
        commands = await self.client.list_commands()
        self._composer = Composer(commands, home() / "history", self._above, self._status, self._stop)
        with patch_stdout(raw=True):
            listening = asyncio.create_task(self._listen())
            writing = asyncio.create_task(self._write())
            try:
                await asyncio.wait({listening, writing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (listening, writing, *self._tasks):
                    task.cancel()
                done = await asyncio.gather(listening, writing, *self._tasks, return_exceptions=True)
        for error in done:
            if isinstance(error, Exception) and not isinstance(error, EOFError):
                raise error

    # what comes

    async def _listen(self) -> None:
        async for event in feed(self.client, self.agent.id):
            await self._happened(event)
            self._composer.redraw()
            if self.gone:
                return

    async def _happened(self, event: Event | Lost | Back) -> None:
        if isinstance(event, State):
            await self._state(event)
        elif isinstance(event, MessageAdded):
            self._message(event.message)
        elif isinstance(event, MemoryEdited):
            self.screen.memory_edit(event.label, event.change)
        elif isinstance(event, Notice):
            self.screen.note(event.text, "red" if event.failed else "yellow")
        elif isinstance(event, Delta):
            self.draft.add(event)
        elif isinstance(event, Dropped):
            self.draft.drop(event)
        elif isinstance(event, RunChanged):
            self._run(event)
        elif isinstance(event, WaitingChanged):
            self.waiting = event.messages
        else:
            self._changed(event)

    def _changed(self, event: Event | Lost | Back) -> None:
        if isinstance(event, Cut):
            self.version = event.version
            self.screen.note(_("(The last messages were taken back.)"))
        elif isinstance(event, Edited):
            self.version = event.version
            self.screen.note(_("(A message above reads otherwise now:)"))
            for message in event.messages:
                self.screen.message(message, self.agent.name)
        elif isinstance(event, Gone):
            self.gone = True
            self.screen.fault(_("This agent was deleted."))
        elif isinstance(event, Lost):
            self.lost = True
            self.draft.clear()
            self.screen.fault(_("The connection is lost; trying again until it is back."))
        elif isinstance(event, Back):
            self.lost = False
            self.screen.note(_("Connected again."), "green")

    async def _state(self, state: State) -> None:
        if self.version is None:
            await self._earlier()
            await self._tried(self._asked())
        elif state.version != self.version:
            self.screen.note(_("(The conversation was changed meanwhile; /dump shows how it is now.)"))
        self.version = state.version
        self.run_id = state.run_id if state.running else None
        self.waiting = state.waiting
        if not state.running:
            self.draft.clear()

    async def _earlier(self) -> None:
        messages = await self.client.recent_messages(self.agent.id, limit=EARLIER)
        for message in messages:
            self._message(message)
            self._shown.add(_key(message))
        if not any(isinstance(message, UserMessage | AgentMessage) for message in messages):
            self.screen.note(_("%(agent)s has heard nothing yet. Say hello!") % {"agent": one_line(self.agent.name)})

    def _message(self, message: Message) -> None:
        if not isinstance(message, UserMessage):  # the words that came are kept now
            self.draft.clear()
        if _key(message) not in self._shown:  # between the two first answers it may come with both
            self.screen.message(message, self.agent.name)

    async def _asked(self) -> None:
        for call in await self.client.list_asked_calls(self.agent.id):
            told = {"agent": self.agent.name, "function": call.function, "arguments": call.arguments}
            self.screen.note(_("%(agent)s wants to call %(function)s %(arguments)s") % told, "yellow")
            self.screen.note(_("/allow, /allow always or /deny with a reason answers."))

    def _run(self, event: RunChanged) -> None:
        if event.status == "waiting":
            self.run_id = None
            self._begin(self._tried(self._asked()))
        if event.status == "running" or (event.status == "queued" and self.run_id is None):
            self.run_id = event.run_id
        elif event.status in OVER and self.run_id in (None, event.run_id):
            self.run_id = None
            self.draft.clear()
            if event.status == "stopped":
                self.screen.note(_("(Stopped.)"))

    # what is shown around the line

    def _above(self) -> list[str]:
        drawn = self.draft.drawn(self.agent.name, [message.content for message in self.waiting])
        return self.screen.lines(drawn, self.screen.console.height // 2) if drawn is not None else []

    def _status(self) -> str:
        if self.lost:
            return _("No connection; trying again · Ctrl-D leaves")
        if self.run_id:
            return _("%(agent)s is at work · Ctrl-C stops") % {"agent": one_line(self.agent.name)}
        return _("Enter sends · Alt+Enter or \\ at the end: a new line · / commands · Ctrl-D leaves")

    def _stop(self) -> bool:
        """Ctrl-C. True if there was an answer to stop."""
        if self.run_id is None:
            return False
        self._begin(self._tried(self.client.stop_run(self.run_id)))
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tried(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MemwebError as error:
            self.screen.fault(sentence(error))

    # what the person writes

    async def _write(self) -> None:
        begun = ""
        while not self.gone:
            try:
                text = (await self._composer.line(begun)).strip()
            except EOFError:
                return
            begun = ""
            try:
                if text and await self._given(text):
                    return
            except (ConnectionLost, NoServer) as error:
                if text == "/exit":
                    return
                self.screen.fault(sentence(error))
                begun = text
            except MemwebError as error:
                self.screen.fault(sentence(error))

    async def _given(self, text: str) -> bool:
        """Send it, or carry it out. True if the person leaves by it."""
        if text.startswith("/"):
            match = await self.client.match_command(text)
            if match.command:
                return await self._command(text)
            text = match.message or text
        await self.client.send_message(agent_id=self.agent.id, message=text)
        return False

    async def _command(self, line: str) -> bool:
        confirmed, choices = False, list[Choice]()
        while True:
            outcome = await self.client.run_command(
                agent_id=self.agent.id, line=line, confirmed=confirmed, choices=choices
            )
            if outcome.conflicts:
                answered = await self._choices(outcome)
                if answered is None:
                    return False
                choices = answered
            elif outcome.question:
                if not await self._confirmed(outcome):
                    return False
                confirmed = True
            else:
                self._came_of(outcome)
                return outcome.leave

    def _came_of(self, outcome: CommandOutcome) -> None:
        if outcome.entries or outcome.title:
            self.screen.listing(outcome.title, outcome.entries)
        if outcome.change:
            self.screen.draw(self.screen.difference(outcome.change))
        if outcome.sentence:
            self.screen.note(outcome.sentence, "green")

    async def _confirmed(self, outcome: CommandOutcome) -> bool:
        if outcome.change:
            self.screen.draw(self.screen.difference(outcome.change))
        self.screen.draw(Text(one_line(outcome.question), "bold yellow"))
        answer = await self._answer(_("Yes or no? [y/n]"))
        if answer is None or not yes(answer):
            self.screen.note(_("Nothing was done."))
            return False
        return True

    async def _choices(self, outcome: CommandOutcome) -> list[Choice] | None:
        self.screen.note(outcome.question, "yellow")
        choices = []
        for conflict in outcome.conflicts:
            self.screen.conflict(conflict)
            answer = await self._answer(_("k: keep it as it is, p: put back what it said before"))
            while answer is not None and answer.lower()[:1] not in ("k", "p"):
                answer = await self._answer(_("k: keep it as it is, p: put back what it said before"))
            if answer is None:
                self.screen.note(_("Nothing was done."))
                return None
            kept = answer.lower().startswith("k")
            choices.append(
                Choice(block_id=conflict.block_id, keep=True)
                if kept
                else Choice(block_id=conflict.block_id, put_back=conflict.revision)
            )
        return choices

    async def _answer(self, question: str) -> str | None:
        """None if the person gives none."""
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            return await self._composer.answer(question)
        return None


def _key(message: Message) -> tuple[str, ...]:
    return type(message).__name__, message.id, str(getattr(message, "call_id", ""))

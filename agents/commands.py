"""Slash commands: one implementation for the page's composer and the terminal.

    outcome = command_run(agent=agent, line="/pop 3", hand=Hand(person))

A command answers with one sentence, or with a list to show, or with a question that wants `confirmed=True`.
Text that starts with a command's name after one slash is a command; with two, a message that starts with one. Any
other text is a message, as "/etc/hosts is empty" is, unless it looks like a command that was mistyped.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from django.core.cache import cache
from django.utils.text import Truncator, format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from redis.exceptions import RedisError

from agents import queue_manager, selectors
from agents.exceptions import InvalidInput
from agents.llm.gateway import config_of
from agents.main_context import working_context
from agents.models import Agent, Archive, OutsideCall
from agents.person import own_time
from agents.prompts import MEMORY_PRESSURE
from agents.selectors import Storage
from agents.services import (
    Hand,
    agent_instruct,
    alert_send,
    archive_attach,
    call_approve,
    call_deny,
    checkpoint_create,
    heartbeat_send,
    messages_pop,
    queue_flush,
    reply_rewrite,
    thought_rewrite,
    turn_retry,
)
from agents.services.turns import POPPED
from agents.text.days import stamp

KEY_SECONDS = 600  # for which the key of a command is remembered
DUMPED = 10  # messages that `/dump` shows by default
MOST_DUMPED = 500
EXCERPT = 200  # characters of a result that `/why` shows
ALIKE = 0.75  # from here on a word is taken for a command that was mistyped

Text = Any  # str, or a lazy translation of one


@dataclass(frozen=True)
class Entry:
    """A line of a listing: what it is, and its text."""

    head: str
    body: str


@dataclass(frozen=True)
class CommandOutcome:
    """`sentence` says what was done. `question` wants a yes; `before` and `after` are what it is about."""

    sentence: str = ""
    title: str = ""
    entries: tuple[Entry, ...] = ()
    question: str = ""
    before: str = ""
    after: str = ""
    leave: bool = False


@dataclass(frozen=True)
class Call:
    """A command as it was given."""

    agent: Agent
    argument: str
    hand: Hand
    confirmed: bool


@dataclass(frozen=True)
class Command:
    """`usage` is its argument as the help shows it: `<…>` must be given, `[…]` may be."""

    name: str
    usage: Text
    help: Text
    body: Callable[[Call], CommandOutcome]
    kind: Literal["none", "count", "text"] = "none"

    @property
    def needs_argument(self) -> bool:
        """Whether it does nothing without one."""
        return str(self.usage).startswith("<")


def is_command(text: str) -> bool:
    """Whether what a person typed is a command, or one mistyped, and no message."""
    name = _name(text)
    return name in COMMANDS or bool(_meant(name))


def as_message(text: str) -> str:
    """The message that a person typed: of two slashes before a command, one."""
    return text.removeprefix("/") if text.startswith("//") and is_command(text.removeprefix("/")) else text


def _name(text: str) -> str:
    """The word after the slash; empty if there is none."""
    return (text[1:].split(maxsplit=1) or [""])[0].lower() if re.match(r"/\w", text) else ""


def _meant(name: str) -> str:
    """The command that a word which is none must be; empty for a path, or a word like none of them."""
    near = get_close_matches(name, COMMANDS, n=1, cutoff=ALIKE) if re.fullmatch("[a-z]{3,20}", name) else []
    return near[0] if near else ""


def command_run(
    *, agent: Agent, line: str, hand: Hand, confirmed: bool = False, idempotency_key: str = ""
) -> CommandOutcome | None:
    """Carry out `line`, which starts with a slash. None if it was carried out before, by a request with the same key.

    Raises InvalidInput with what would do; RollbackConflict. Both leave the key free.
    """
    key = f"command:{agent.pk}:{idempotency_key[:64]}"
    if idempotency_key and not _first(key):
        return None
    try:
        outcome = _run(agent, line, hand, confirmed)
    except Exception:
        _forget(key)
        raise
    if not outcome.sentence:  # it changed nothing: sent again, it is to be shown again
        _forget(key)
    return outcome


def _first(key: str) -> bool:
    try:
        return bool(cache.add(key, 1, KEY_SECONDS))
    except RedisError:  # a broker that is away must not keep a command from being carried out
        return True


def _forget(key: str) -> None:
    with contextlib.suppress(RedisError):
        cache.delete(key)


def _run(agent: Agent, line: str, hand: Hand, confirmed: bool) -> CommandOutcome:
    line = line.strip()
    name = _name(line)
    argument = line[1 + len(name) :].strip()
    command = COMMANDS.get(name)
    if command is None:
        raise InvalidInput(_no_command(name))
    if command.needs_argument and not argument:
        raise InvalidInput(_("/%(name)s needs something after it: /%(name)s %(usage)s") % _names(command))
    if command.kind == "none" and argument:
        raise InvalidInput(_("/%(name)s takes nothing after it.") % _names(command))
    return command.body(Call(agent, argument, hand, confirmed))


def _no_command(name: str) -> str:
    if meant := _meant(name):
        text = _("There is no command /%(name)s. Did you mean /%(meant)s? To send this as a message, write //%(name)s.")
        return text % {"name": name, "meant": meant}
    return _("There is no command /%(name)s. /help lists them all.") % {"name": name[:40]}


def _names(command: Command) -> dict[str, str]:
    return {"name": command.name, "usage": str(command.usage)}


def _count(call: Call, default: int, most: int) -> int:
    if not call.argument:
        return default
    if not call.argument.isdecimal() or len(call.argument) > 9 or not 1 <= int(call.argument) <= most:
        raise InvalidInput(
            _("“%(given)s” is not a number from 1 to %(most)d.") % {"given": call.argument[:40], "most": most}
        )
    return int(call.argument)


def _dump(call: Call) -> CommandOutcome:
    rows = list(reversed(selectors.newest(call.agent, _count(call, DUMPED, MOST_DUMPED))))
    entries = tuple(
        Entry(
            f"{row.seq} · {row.get_kind_display()} · {stamp(own_time(row))}",
            "\n".join(
                part
                for part in (row.inner_monologue, *(f"{c['name']} {c['arguments']}" for c in row.calls), row.content)
                if part
            ),
        )
        for row in rows
    )
    return CommandOutcome(title=_("The last messages"), entries=entries)


def _memory(call: Call) -> CommandOutcome:
    blocks = working_context.blocks_of(call.agent)
    entries = tuple(Entry(f"{b.label} · {len(b.value):,} / {b.limit:,}", b.value) for b in blocks)
    return CommandOutcome(title=_("Core memory"), entries=entries)


def _why(call: Call) -> CommandOutcome:
    entries: list[Entry] = []
    storages: dict[Storage, str] = {"recall": _("Recall"), "archival": _("Archival")}
    for storage, name in storages.items():
        told = selectors.search_explained(call.agent, storage, call.argument)
        for place, why in enumerate(told.found, 1):
            entries.append(Entry(f"{name} {place}", "\n".join([Truncator(why.text).chars(EXCERPT), *why.lines])))
        below = [f"{why.score_told} {Truncator(why.text).chars(EXCERPT)}" for why in told.below]
        if below:
            entries.append(Entry(f"{name}: {_('Just below the cut')}", "\n".join(below)))
    return CommandOutcome(title=_("As %(name)s searches") % {"name": call.agent.name}, entries=tuple(entries))


def _pop(call: Call) -> CommandOutcome:
    count = messages_pop(agent=call.agent, count=_count(call, POPPED, MOST_DUMPED), hand=call.hand)
    text = ngettext(
        "%(count)d message was taken back, with what it wrote to memory.",
        "%(count)d messages were taken back, with what they wrote to memory.",
        count,
    )
    return CommandOutcome(sentence=text % {"count": count})


def _retry(call: Call) -> CommandOutcome:
    turn_retry(agent=call.agent, hand=call.hand)
    return CommandOutcome(
        sentence=_("The last turn was taken back; %(agent)s tries again.") % {"agent": call.agent.name}
    )


def _rethink(call: Call) -> CommandOutcome:
    thought_rewrite(agent=call.agent, text=call.argument)
    return CommandOutcome(sentence=_("The last thought reads so now."))


def _rewrite(call: Call) -> CommandOutcome:
    reply_rewrite(agent=call.agent, text=call.argument)
    return CommandOutcome(sentence=_("The last reply reads so now."))


def _heartbeat(call: Call) -> CommandOutcome:
    heartbeat_send(agent=call.agent, reason="The person sent a heartbeat.")
    return CommandOutcome(sentence=_("%(agent)s was woken.") % {"agent": call.agent.name})


def _memorywarning(call: Call) -> CommandOutcome:
    limits = queue_manager.marks(config_of(call.agent))
    percent = round(100 * selectors.context_view(call.agent).used / limits.window)
    alert_send(agent=call.agent, text=MEMORY_PRESSURE.format(percent=percent))
    return CommandOutcome(sentence=_("%(agent)s was warned of memory pressure.") % {"agent": call.agent.name})


def _summarize(call: Call) -> CommandOutcome:
    if not queue_flush(agent=call.agent):
        raise InvalidInput(_("The queue is too short to evict anything."))
    return CommandOutcome(sentence=_("The oldest messages left the window; their summary is being written."))


def _systemswap(call: Call) -> CommandOutcome:
    if not call.confirmed:
        question = _("Replace the system instructions of %(agent)s?") % {"agent": call.agent.name}
        return CommandOutcome(question=question, before=call.agent.system_instructions, after=call.argument)
    agent_instruct(agent=call.agent, text=call.argument)
    return CommandOutcome(sentence=_("The system instructions were replaced."))


def _attach(call: Call) -> CommandOutcome:
    named = list(Archive.objects.filter(owner=call.agent.owner_id, name__iexact=call.argument).order_by("pk"))
    named = [archive for archive in named if archive.pk != call.agent.archive_id] or named
    if not named:
        others = Archive.objects.filter(owner=call.agent.owner_id).exclude(pk=call.agent.archive_id)
        names = ", ".join(others.values_list("name", flat=True)) or _("none yet")
        raise InvalidInput(
            _("There is no archive called “%(name)s”. There are: %(names)s.") % {"name": call.argument, "names": names}
        )
    archive_attach(agent=call.agent, archive=named[0])
    names_of = {"agent": call.agent.name, "archive": named[0].name}
    return CommandOutcome(sentence=_("%(agent)s searches “%(archive)s” from now on.") % names_of)


def _save(call: Call) -> CommandOutcome:
    checkpoint = checkpoint_create(agent=call.agent, name=call.argument)
    return CommandOutcome(sentence=_("Saved as the checkpoint “%(name)s”.") % {"name": checkpoint.name})


def _allow(call: Call) -> CommandOutcome:
    if call.argument not in ("", "always"):
        usage = _("Write /allow, or /allow always so that %(agent)s need not ask again.")
        raise InvalidInput(usage % {"agent": call.agent.name})
    asked = _asked(call)
    call_approve(call=asked, always=call.argument == "always")
    return CommandOutcome(_("Allowed: %(function)s.") % {"function": asked.function})


def _deny(call: Call) -> CommandOutcome:
    asked = _asked(call)
    call_deny(call=asked, reason=call.argument)
    return CommandOutcome(_("Not allowed: %(function)s.") % {"function": asked.function})


def _asked(call: Call) -> OutsideCall:
    asked = selectors.calls_asked(call.agent).first()
    if asked is None:
        raise InvalidInput(_("No call waits for your yes."))
    return asked


def _exit(call: Call) -> CommandOutcome:
    return CommandOutcome(sentence=_("Until later."), leave=True)


def _help(call: Call) -> CommandOutcome:
    entries = tuple(Entry(f"/{c.name} {c.usage}".strip(), str(c.help)) for c in COMMANDS.values())
    return CommandOutcome(title=_("Commands"), entries=entries)


t = gettext_lazy
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "dump",
            "[n]",
            format_lazy(t("show the last n messages as stored, {n} unless given"), n=DUMPED),
            _dump,
            "count",
        ),
        Command("memory", "", t("show core memory"), _memory),
        Command("why", t("<query>"), t("search as the agent does, and show why each result is found"), _why, "text"),
        Command(
            "pop",
            "[n]",
            format_lazy(t("take back the last n messages and their memory edits, {n} unless given"), n=POPPED),
            _pop,
            "count",
        ),
        Command("retry", "", t("take back the last turn and have it answered anew"), _retry),
        Command("rethink", t("<text>"), t("replace the last thought"), _rethink, "text"),
        Command("rewrite", t("<text>"), t("replace the last reply"), _rewrite, "text"),
        Command("heartbeat", "", t("wake the agent without a message"), _heartbeat),
        Command("memorywarning", "", t("warn the agent of memory pressure"), _memorywarning),
        Command("summarize", "", t("evict the oldest messages now and have them summarised"), _summarize),
        Command("systemswap", t("<text>"), t("replace the system instructions; asks first"), _systemswap, "text"),
        Command("attach", t("<archive>"), t("let the agent search an archive"), _attach, "text"),
        Command("save", t("[name]"), t("keep a checkpoint of the agent"), _save, "text"),
        Command("allow", t("[always]"), t("say yes to the call that waits for it"), _allow, "text"),
        Command("deny", t("[why]"), t("say no to the call that waits for a yes"), _deny, "text"),
        Command("exit", "", t("leave this conversation"), _exit),
        Command("help", "", t("list the commands"), _help),
    )
}

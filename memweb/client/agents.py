"""Agents: made, found, renamed, removed, taken along as files."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from memweb.client.errors import Invalid, NameTaken, NotFound, NotNow, sentence_of
from memweb.client.results import Agent, ImportedAgent, Presets
from memweb.client.steps import (
    Request,
    Steps,
    Upload,
    all_pages,
    ask,
    delete,
    get,
    naming,
    opened,
    patch,
    path,
    post,
    read_as,
)

AGENTS = path("agents") + "/"
AN_ID = re.compile(r"agent-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def create_agent(
    *,
    name: str,
    persona: str | None = None,
    human: str | None = None,
    model: str | None = None,
    context_window: int | None = None,
    more: dict[str, Any] | None = None,
) -> Steps[Agent]:
    """Make an agent. `persona` says who it is, `human` who you are; `more` are further fields of the API's call.

    Raises NameTaken if you have one of that name.
    """
    blocks = [
        {"label": label, "value": value}
        for label, value in (("persona", persona), ("human", human))
        if value is not None
    ]
    wanted = {"memory_blocks": blocks or None, "model": model, "context_window_limit": context_window}
    body = {"name": name, **{field: value for field, value in wanted.items() if value is not None}, **(more or {})}
    try:
        return read_as(Agent, (yield from ask(post(AGENTS, body))))
    except NotNow as error:
        raise NameTaken(
            f"{error} To go on with it: get_or_create_agent(name={name!r}). To begin anew: delete_agent first."
        ) from error


def get_or_create_agent(
    *,
    name: str,
    persona: str | None = None,
    human: str | None = None,
    model: str | None = None,
    context_window: int | None = None,
    more: dict[str, Any] | None = None,
) -> Steps[Agent]:
    """The agent of that name as it is, or a new one made with the rest."""
    found = yield from _named(name)
    if found is not None:
        return found
    fields: dict[str, Any] = {"persona": persona, "human": human, "model": model, "context_window": context_window}
    try:
        return (yield from create_agent(name=name, more=more, **fields))
    except NameTaken:  # by another program, in between
        return (yield from get_agent(name))


def get_agent(name_or_id: str) -> Steps[Agent]:
    """An agent by its name or id. Raises NotFound."""
    if AN_ID.fullmatch(name_or_id):
        return read_as(Agent, (yield from ask(get(path("agents", name_or_id)))))
    found = yield from _named(name_or_id)
    if found is None:
        raise NotFound(f"You have no agent called “{name_or_id}”.")
    return found


def _named(name: str) -> Steps[Agent | None]:
    rows = yield from ask(get(AGENTS, name=name))
    return next((agent for agent in read_as(list[Agent], rows) if agent.name == name), None)


def list_agents() -> Steps[list[Agent]]:
    """All your agents, the newest first."""
    return read_as(list[Agent], (yield from all_pages(AGENTS)))


def rename_agent(*, agent_id: str, name: str) -> Steps[Agent]:
    """Give an agent another name. Raises NameTaken."""
    return read_as(Agent, (yield from naming(ask(patch(path("agents", agent_id), {"name": name})))))


def delete_agent(agent_id: str) -> Steps[None]:
    """Remove an agent with all it knows."""
    yield from ask(delete(path("agents", agent_id)))


def export_agent(agent_id: str, *, format: Literal["memweb", "letta"] = "memweb") -> Steps[str]:
    """The whole agent as the text of a file: memweb's own with its passages, or Letta's `.af`."""
    given = yield from ask(get(path("agents", agent_id, "export"), format="memweb" if format == "memweb" else None))
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, indent=1)


def save_agent(
    agent_id: str, file: BinaryIO, *, documents: bool = False, format: Literal["memweb", "letta"] = "memweb"
) -> Steps[None]:
    """Write the whole agent into `file` as it comes, however large: with `documents` as a zip that has these too."""
    asked = get(
        path("agents", agent_id, "export"),
        format="memweb" if format == "memweb" else None,
        documents="true" if documents else None,
    )
    yield from opened(replace(asked, into=file))


def copy_agent(agent_id: str, *, name: str) -> Steps[Agent]:
    """A second agent that is what this one is now. Raises NameTaken."""
    return read_as(Agent, (yield from naming(ask(post(path("agents", agent_id, "copy"), {"name": name})))))


def import_agent(source: Path | bytes | str, *, name: str | None = None) -> Steps[list[ImportedAgent]]:
    """Make the agents of a file that `export_agent`, `save_agent` or Letta wrote: a path to it, or what is in it. Each
    says what its file names that is not here.

    Raises NameTaken if you have one of that name; `name` gives it another.
    """
    file = Upload("agent.json", source.encode() if isinstance(source, str) else source)
    form = {"append_copy_suffix": "false"} | ({"override_name": name} if name else {})
    request = Request(method="POST", path=path("agents", "import"), form=form, upload=file)
    given = yield from naming(ask(request))
    if "agent_ids" not in given:  # refused after the answer had begun
        raise Invalid(sentence_of(given))
    missing = {one["agent_id"]: one for one in given.get("missing", ())}
    agents = []
    for agent_id in given["agent_ids"]:
        agent = yield from ask(get(path("agents", agent_id)))
        away = missing.get(agent_id, {})
        more = {"missing_functions": away.get("functions", ()), "missing_files": away.get("files", ())}
        agents.append(read_as(ImportedAgent, {**agent, **more}))
    return agents


def presets() -> Steps[Presets]:
    """The personas and humans that this memweb offers to begin with."""
    return read_as(Presets, (yield from ask(get(path("presets")))))

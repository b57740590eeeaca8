"""The agents of a Letta file as memweb's own."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from django.utils.translation import gettext as _

from agents.functions import registry, toolset
from agents.ingest.kinds import MEDIA_TYPES, SOURCE
from agents.llm.types import SEND_MESSAGE
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.block import DEFAULT_LIMIT
from agents.services.agent_files import FORMAT, AgentFile, BlockFile
from agents.services.blocks import LARGEST_LIMIT, LONGEST_DESCRIPTION
from agents.services.letta_files import Json, LettaAgent, LettaBlock, LettaFile, LettaStoredFile, LettaTool
from agents.services.letta_messages import conversation, summary

# Letta's newer names: the same call with the same arguments, some named otherwise, and perhaps one more, optional.
SAME_FUNCTION = {"memory_insert": "core_memory_append", "memory_replace": "core_memory_replace"}
NEEDS_APPROVAL = "requires_approval"
TEXTS = ("text/", "application/json", "application/x-ndjson")


@dataclass
class LettaDraft:
    """An agent that is to be made. `blocks` are the file's ids of those that other agents of it may have too."""

    file: AgentFile
    description: str
    tags: list[str]
    metadata: Json
    blocks: dict[str, LettaBlock]
    documents: dict[str, str] = field(default_factory=dict)  # texts by name
    missing_functions: list[str] = field(default_factory=list)
    missing_files: list[str] = field(default_factory=list)


def drafts(file: LettaFile, owner_id: int) -> Iterator[LettaDraft]:
    """Each agent, with the functions of this installation. One query an agent."""
    for agent in file.agents:
        draft = _draft(agent, {block.id: block for block in file.blocks})
        _choose_functions(draft, agent, {tool.id: tool for tool in file.tools}, toolset.there_are(owner_id))
        _choose_files(draft, agent, file.files)
        yield draft


def _draft(agent: LettaAgent, blocks: dict[str, LettaBlock]) -> LettaDraft:
    window = (agent.llm_config or {}).get("context_window")
    fits = isinstance(window, int) and MIN_CONTEXT_WINDOW <= window <= 2_000_000
    content = AgentFile(
        format=FORMAT,
        version=2,
        name=agent.name,
        context_window=window if fits else None,
        system_instructions=agent.system or _("You are a helpful agent."),
        core_memory=[block_file(block) for block in agent.memory_blocks],
        summary=summary(agent),
        messages=conversation(agent),
        passages=[],
    )
    return LettaDraft(
        file=content,
        description=agent.description or "",
        tags=agent.tags,
        metadata=agent.metadata or {},
        blocks={key: blocks[key] for key in agent.block_ids if key in blocks},
    )


def block_file(block: LettaBlock) -> BlockFile:
    """As memweb takes one."""
    value = block.value or ""
    return BlockFile(
        label=block.label,
        value=value,
        limit=min(max(block.limit or DEFAULT_LIMIT, len(value), 1), LARGEST_LIMIT),
        description=" ".join((block.description or "").split())[:LONGEST_DESCRIPTION],
        read_only=bool(block.read_only),
    )


def _choose_functions(draft: LettaDraft, agent: LettaAgent, tools: dict[str, LettaTool], there: Container[str]) -> None:
    """Those that are here, by name. An agent whose file names none has all of memweb's own."""
    asked = {rule.tool_name for rule in agent.tool_rules if rule.type == NEEDS_APPROVAL}
    wanted = [*(tools.get(key, LettaTool(name=key)) for key in agent.tool_ids), *map(_named, agent.tools)]
    names = {SAME_FUNCTION.get(tool.name or "", tool.name or tool.id): tool for tool in wanted}
    ours = set(registry.registered())
    installed = [name for name in names if name in there and name not in ours]
    draft.file.functions_on = installed
    draft.file.functions_ask = [name for name in installed if name in asked or names[name].default_requires_approval]
    draft.file.functions_off = sorted(ours - set(names) - {SEND_MESSAGE}) if names else []
    draft.missing_functions = sorted(name for name in names if name not in there)


def _named(name: str) -> LettaTool:
    return LettaTool(name=name)


def _choose_files(draft: LettaDraft, agent: LettaAgent, files: list[LettaStoredFile]) -> None:
    """Texts become documents; the same text is one."""
    own = {link.file_id for link in agent.files_agents}
    sources = {*agent.source_ids, *agent.folder_ids}
    texts: set[str] = set()
    for file in files:
        if file.id not in own and file.source_id not in sources:
            continue
        text = file.content or ""
        if not text.strip():
            draft.missing_files.append(file.name)
        elif text not in texts:
            texts.add(text)
            draft.documents[_free_name(file.name, draft.documents)] = text


def _free_name(name: str, taken: dict[str, str]) -> str:
    """As the file is called, without its path; what was read out of a PDF or the like is Markdown now."""
    name = PurePath(name.replace("\\", "/")).name.strip(". ")[-200:] or "document"
    kind = MEDIA_TYPES.get(PurePath(name).suffix.lower(), SOURCE)
    name = name if kind.startswith(TEXTS) else f"{name}.md"
    path = PurePath(name)
    names = (f"{path.stem}_{number}{path.suffix}" for number in range(1, len(taken) + 2))
    return name if name not in taken else next(one for one in names if one not in taken)

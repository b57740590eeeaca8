"""A file becomes agents, whichever kind it is: memweb's own, Letta's `.af`, or an export of ChatGPT or Claude. The one
way in for every door."""

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils.translation import ngettext

from agents import selectors
from agents.exceptions import InvalidInput
from agents.functions import toolset
from agents.ingest.uploads import check_upload
from agents.models import Agent, Block, Document
from agents.services import letta_files
from agents.services.agent_imports import agent_import
from agents.services.agent_reading import check_size, is_agent_file
from agents.services.agents import agent_describe
from agents.services.archives import document_add
from agents.services.blocks import BlockSettings, block_attach_new, block_note, block_share
from agents.services.history_imports import history_import
from agents.services.letta_reading import LettaDraft, block_file, drafts
from memweb.history import is_export

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.core.files.base import File


@dataclass(frozen=True)
class Imported:
    """An agent that was made, and what its file names that is not here: functions, and files without their text."""

    agent: Agent
    missing_functions: list[str]
    missing_files: list[str]


@dataclass(frozen=True, kw_only=True)
class Bringing:
    """How a file is taken: with another name, with something behind each name, without the conversation."""

    name: str = ""
    suffix: str = ""
    with_messages: bool = True


def agents_import(*, owner: "User", file: "File[bytes]", how: Bringing = Bringing()) -> list[Imported]:
    """New agents from a file, all of them or none. Raises InvalidInput."""
    check_size(file.size, settings.MAX_AGENT_FILE_BYTES)
    content = cast(IO[bytes], file)
    if is_export(content):
        return [Imported(history_import(owner=owner, content=content, name=f"{how.name}{how.suffix}"), [], [])]
    if is_agent_file(content):
        return [_own(owner, content, how)]
    check_size(file.size, settings.MAX_UPLOAD_BYTES)  # it is held whole
    return _letta(owner, letta_files.parsed(file.read()), how)


def _own(owner: "User", content: IO[bytes], how: Bringing) -> Imported:
    agent = agent_import(owner=owner, raw=content, name=how.name, suffix=how.suffix, messages=how.with_messages)
    there = toolset.there_are(owner.pk) if agent.attached_functions else {}
    missing = [name for name in agent.attached_functions if name not in there]
    return Imported(agent, missing, [document.name for document in selectors.documents_without_files(agent)])


def _letta(owner: "User", file: letta_files.LettaFile, how: Bringing) -> list[Imported]:
    """Each agent of the file. A block that several of them have is one block here too."""
    count = len(file.agents)
    if how.name and count > 1:
        sentence = ngettext(
            "This file has %(count)d agent, and no two can have one name. Import it without a name.",
            "This file has %(count)d agents, and no two can have one name. Import it without a name.",
            count,
        )
        raise InvalidInput(sentence % {"count": count})
    shared: dict[str, Block] = {}
    documents: list[Document] = []
    try:
        with transaction.atomic():
            return [_made(owner, draft, how, shared, documents) for draft in drafts(file, owner.pk)]
    except BaseException:
        for document in documents:  # their rows are gone
            document.file.delete(save=False)
        raise


def _made(
    owner: "User", draft: LettaDraft, how: Bringing, shared: dict[str, Block], documents: list[Document]
) -> Imported:
    if not how.with_messages:
        draft.file.messages, draft.file.summary = [], ""
    name = f"{how.name or draft.file.name}{how.suffix}"
    agent = agent_import(owner=owner, raw=draft.file.model_dump_json().encode(), name=name)
    for key, block in draft.blocks.items():
        if key in shared:
            block_share(block=shared[key], agent=agent)
        else:
            taken = block_file(block)
            about = BlockSettings(**taken.model_dump(exclude={"value"}))
            shared[key] = block_attach_new(agent=agent, settings=about, value=taken.value)
            block_note(block=shared[key], tags=block.tags, metadata=block.metadata or {})
    agent_describe(agent=agent, description=draft.description, tags=draft.tags, metadata=draft.metadata)
    refused = []
    for named, text in draft.documents.items():
        upload = SimpleUploadedFile(named, text.encode())
        try:
            check_upload(upload)
        except InvalidInput:
            refused.append(named)
            continue
        documents.append(document_add(archive=agent.archive, file=upload))
    return Imported(agent, draft.missing_functions, [*draft.missing_files, *refused])

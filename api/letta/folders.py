"""Archives and folders: to memweb one thing. An archive is known for its passages, a folder for its files."""

from pathlib import PurePath
from typing import Any, ClassVar, Literal

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import File, Query, Router
from ninja.files import UploadedFile
from pydantic import BaseModel, Field

from agents import selectors, services
from agents.access import owned_by
from agents.ingest.uploads import sha256_of
from agents.models import Agent, Archive, Document
from agents.services.archives import LONGEST_ARCHIVE_NAME
from api.access import agent_for, archive_for, person, row_for
from api.answers import answer
from api.asked import LONGEST_TEXT, Asked, Body, Listing, Name, only_known
from api.errors import Conflict, Unknown
from api.ids import written
from api.letta import shapes
from api.letta.agents import attach_archive
from api.letta.shapes import Shape
from api.pages import agents_page, page_of

router = Router(tags=["archives and folders"])


class ArchiveOut(BaseModel):
    """A named archival store."""

    id: str
    name: str
    description: str | None
    created_at: str


class FolderOut(ArchiveOut):
    """An archive as a place of files."""

    metadata: dict[str, Any]
    embedding_config: dict[str, Any]


class ArchiveCreate(Body):
    """A new archive. `embedding` is the installation's own, which `embedding_config` of the answer names."""

    NOT_SUPPORTED: ClassVar = frozenset({"embedding_config", "embedding_chunk_size", "instructions"})

    name: str = Field(min_length=1, max_length=LONGEST_ARCHIVE_NAME)
    description: str | None = Field(None, max_length=LONGEST_TEXT)
    metadata: dict[str, Any] | None = None
    embedding: Name | None = None


class ArchiveUpdate(Body):
    """What is not given stays."""

    NOT_SUPPORTED: ClassVar = frozenset({"embedding_config", "instructions"})

    name: str | None = Field(None, min_length=1, max_length=LONGEST_ARCHIVE_NAME)
    description: str | None = Field(None, max_length=LONGEST_TEXT)
    metadata: dict[str, Any] | None = None


class ArchiveListing(Listing):
    """Archives."""

    name: Name | None = None
    agent_id: Name | None = None


def _created(request: HttpRequest, payload: ArchiveCreate) -> Archive:
    with transaction.atomic():
        archive = services.archive_create(owner=person(request), name=payload.name)
        own = payload.model_dump(include={"description", "metadata"}, exclude_none=True)
        if own:
            services.archive_describe(archive=archive, **own)
    return archive


def _updated(request: HttpRequest, archive_id: str, payload: ArchiveUpdate) -> Archive:
    archive = archive_for(request, archive_id)
    services.archive_describe(archive=archive, **payload.model_dump(exclude_none=True))
    return archive


@router.get("/archives", response=list[ArchiveOut])
@only_known
def archive_list(request: HttpRequest, asked: Query[ArchiveListing]) -> HttpResponse:
    """The person's archives, also those that belong to agents, newest first unless asked otherwise."""
    rows = owned_by(Archive, person(request))
    if asked.name is not None:
        rows = rows.filter(name=asked.name)
    if asked.agent_id is not None:
        searched = selectors.archives_of(agent_for(request, asked.agent_id))
        rows = rows.filter(pk__in=searched.values("pk"))
    return answer([shapes.archive(row) for row in page_of(rows, asked, "archive", newest_first=True)])


@router.post("/archives", response=ArchiveOut)
@only_known
def archive_create(request: HttpRequest, payload: ArchiveCreate) -> HttpResponse:
    """Make an archive; attach it to agents that should search it."""
    return answer(shapes.archive(_created(request, payload)))


@router.get("/archives/{archive_id}", response=ArchiveOut)
@only_known
def archive_retrieve(request: HttpRequest, archive_id: str) -> HttpResponse:
    """One archive."""
    return answer(shapes.archive(archive_for(request, archive_id)))


@router.patch("/archives/{archive_id}", response=ArchiveOut)
@only_known
def archive_update(request: HttpRequest, archive_id: str, payload: ArchiveUpdate) -> HttpResponse:
    """Give an archive another name or description."""
    return answer(shapes.archive(_updated(request, archive_id, payload)))


@router.delete("/archives/{archive_id}", response={204: None})
@only_known
def archive_delete(request: HttpRequest, archive_id: str) -> HttpResponse:
    """Delete an archive with its documents and passages. An agent's own goes with the agent."""
    services.archive_delete(archive=archive_for(request, archive_id))
    return HttpResponse(status=204)


@router.patch("/agents/{agent_id}/archives/attach/{archive_id}", response=dict)
@only_known
def agent_archive_attach(request: HttpRequest, agent_id: str, archive_id: str) -> HttpResponse:
    """Let the agent search an archive."""
    agent = agent_for(request, agent_id)
    attach_archive(agent, archive_for(request, archive_id))
    return answer({})


@router.patch("/agents/{agent_id}/archives/detach/{archive_id}", response=dict)
@only_known
def agent_archive_detach(request: HttpRequest, agent_id: str, archive_id: str) -> HttpResponse:
    """The agent searches the archive no more."""
    services.archive_detach(agent=agent_for(request, agent_id), archive=archive_for(request, archive_id))
    return answer({})


# Folders


def _folders(request: HttpRequest) -> Any:
    """The person's archives but those of agents, which are deleted with them alone."""
    return owned_by(Archive, person(request)).filter(writer=None)


@router.get("/folders", response=list[FolderOut])
@only_known
def folder_list(request: HttpRequest, asked: Query[ArchiveListing]) -> HttpResponse:
    """The person's folders, oldest first unless asked otherwise."""
    rows = _folders(request)
    if asked.name is not None:
        rows = rows.filter(name=asked.name)
    if asked.agent_id is not None:
        rows = rows.filter(readers=agent_for(request, asked.agent_id))
    return answer([shapes.source(row) for row in page_of(rows, asked, "folder", newest_first=False)])


@router.post("/folders", response=FolderOut)
@only_known
def folder_create(request: HttpRequest, payload: ArchiveCreate) -> HttpResponse:
    """Make a folder."""
    return answer(shapes.source(_created(request, payload)))


@router.get("/folders/{folder_id}", response=FolderOut)
@only_known
def folder_retrieve(request: HttpRequest, folder_id: str) -> HttpResponse:
    """One folder."""
    return answer(shapes.source(archive_for(request, folder_id)))


@router.patch("/folders/{folder_id}", response=FolderOut)
@only_known
def folder_update(request: HttpRequest, folder_id: str, payload: ArchiveUpdate) -> HttpResponse:
    """Give a folder another name or description."""
    return answer(shapes.source(_updated(request, folder_id, payload)))


@router.delete("/folders/{folder_id}", response=dict)
@only_known
def folder_delete(request: HttpRequest, folder_id: str) -> HttpResponse:
    """Delete a folder with its files."""
    services.archive_delete(archive=archive_for(request, folder_id))
    return answer({})


@router.get("/folders/{folder_id}/agents", response=list[str])
@only_known
def folder_agents(request: HttpRequest, folder_id: str, asked: Query[Listing]) -> HttpResponse:
    """The ids of agents that search it."""
    rows = owned_by(Agent, person(request)).filter(attached_archives=archive_for(request, folder_id))
    return answer([written("agent", row.pk) for row in agents_page(person(request), rows, asked)])


@router.get("/agents/{agent_id}/folders", response=list[FolderOut])
@only_known
def agent_folder_list(request: HttpRequest, agent_id: str, asked: Query[Listing]) -> HttpResponse:
    """The folders that are attached to the agent."""
    rows = agent_for(request, agent_id).attached_archives.all()
    return answer([shapes.source(row) for row in page_of(rows, asked, "folder", newest_first=False)])


@router.patch("/agents/{agent_id}/folders/attach/{folder_id}", response=dict)
@only_known
def agent_folder_attach(request: HttpRequest, agent_id: str, folder_id: str) -> HttpResponse:
    """Let the agent search a folder."""
    agent = agent_for(request, agent_id)
    attach_archive(agent, archive_for(request, folder_id))
    return answer(shapes.agent(agent))


@router.patch("/agents/{agent_id}/folders/detach/{folder_id}", response=dict)
@only_known
def agent_folder_detach(request: HttpRequest, agent_id: str, folder_id: str) -> HttpResponse:
    """The agent searches the folder no more."""
    agent = agent_for(request, agent_id)
    services.archive_detach(agent=agent, archive=archive_for(request, folder_id))
    return answer(shapes.agent(agent))


# Files


class FileOut(BaseModel):
    """A document. `processing_status` is pending, parsing, embedding, completed or error."""

    id: str
    source_id: str
    file_name: str
    processing_status: str


class Uploading(Asked):
    """What happens to a file whose name is in the folder already. One whose content is there is kept once."""

    duplicate_handling: Literal["skip", "error", "suffix", "replace"] = "suffix"
    name: Name | None = None


@router.post("/folders/{folder_id}/upload", response=FileOut)
@only_known
def file_upload(
    request: HttpRequest, folder_id: str, file: File[UploadedFile], asked: Query[Uploading]
) -> HttpResponse:
    """Upload a file; it is read in the background. Ask for it by its id to see how far that is."""
    archive = archive_for(request, folder_id)
    file.name = asked.name or file.name or "document"
    named = archive.documents.filter(name=file.name).first()
    if named and asked.duplicate_handling == "skip":
        return answer(shapes.file(named))
    if named and asked.duplicate_handling == "error":
        text = _("There is a file “%(name)s” in this folder already.")
        raise Conflict(text % {"name": file.name})
    same = archive.documents.filter(sha256=sha256_of(file)).first()
    if same and not same.may_come_again:
        return answer(shapes.file(same))
    if named and asked.duplicate_handling == "suffix":
        file.name = _free_name(archive, file.name)
    document = services.document_add(archive=archive, file=file)
    if named and named != same and asked.duplicate_handling == "replace":
        services.document_delete(document=named)
    return answer(shapes.file(document))


def _free_name(archive: Archive, name: str) -> str:
    path = PurePath(name)
    taken = set(archive.documents.values_list("name", flat=True))
    names = (f"{path.stem}_({number}){path.suffix}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


class FileListing(Listing):
    """Files, newest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset({"include_content"})


class FileRetrieving(Asked):
    """One file, without its content."""

    NOT_SUPPORTED_VALUES: ClassVar = {"include_content": frozenset({"true", "True", "1"})}

    include_content: Literal["false", "False", "0"] = "false"


@router.get("/folders/{folder_id}/files", response=list[FileOut])
@only_known
def file_list(request: HttpRequest, folder_id: str, asked: Query[FileListing]) -> HttpResponse:
    """The files of a folder."""
    rows = archive_for(request, folder_id).documents.all()
    return answer([shapes.file(row) for row in page_of(rows, asked, "file", newest_first=True, limit=100)])


def _file(request: HttpRequest, folder_id: str, file_id: str) -> Document:
    row = row_for(request, Document, "file", file_id)
    if row.archive_id != archive_for(request, folder_id).pk:
        raise Unknown("file", file_id)
    return row


@router.get("/folders/{folder_id}/files/{file_id}", response=FileOut)
@only_known
def file_retrieve(request: HttpRequest, folder_id: str, file_id: str, asked: Query[FileRetrieving]) -> HttpResponse:
    """One file, with how far it has been read."""
    return answer(shapes.file(_file(request, folder_id, file_id)))


@router.delete("/folders/{folder_id}/{file_id}", response={204: None})
@only_known
def file_delete(request: HttpRequest, folder_id: str, file_id: str) -> HttpResponse:
    """Delete a file with its passages."""
    services.document_delete(document=_file(request, folder_id, file_id))
    return HttpResponse(status=204)


class AgentFiles(BaseModel):
    """A page of an agent's files; `next_cursor` is `after` of the next."""

    files: list[dict[str, Any]]
    next_cursor: str | None
    has_more: bool


class AgentFileListing(Listing):
    """An agent's files. None is ever "open": the agent searches all of them."""

    cursor: Name | None = None
    is_open: bool | None = None


@router.get("/agents/{agent_id}/files", response=AgentFiles)
@only_known
def agent_file_list(request: HttpRequest, agent_id: str, asked: Query[AgentFileListing]) -> HttpResponse:
    """The files in what the agent searches."""
    rows = selectors.documents_of(agent_for(request, agent_id))
    if asked.is_open:
        rows = rows.none()
    limit = asked.limit or 20
    asked.after, asked.limit = asked.after or asked.cursor, limit + 1
    page = page_of(rows, asked, "file", newest_first=True)
    more, page = len(page) > limit, page[:limit]
    cursor = written("file", page[-1].pk) if more else None
    return answer({"files": [_of_agent(row) for row in page], "next_cursor": cursor, "has_more": more})


def _of_agent(row: Document) -> Shape:
    folder = written("folder", row.archive_id)
    names = {"file_name": row.name, "folder_id": folder, "folder_name": row.archive.name, "is_open": False}
    return {"id": written("file", row.pk), "file_id": written("file", row.pk), **names}

"""Archival storage as people change it: archives, documents, passages."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import dispatch, faults, quotas
from agents.exceptions import BelongsToAgent, InvalidInput, NameTaken
from agents.external_context import archival_storage
from agents.external_context.archival_storage import Filing
from agents.functions.archival_memory import LONGEST_PASSAGE
from agents.ingest.uploads import check_upload, sha256_of
from agents.models import Agent, Archive, Document, Passage
from agents.text.clean import typed
from agents.text.media_types import CONVERSATION

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

LONGEST_ARCHIVE_NAME = 120  # characters


# Archives


def archive_create(*, owner: "User", name: str) -> Archive:
    """An archive that no agent writes to; attach it to those that should search it. Raises InvalidInput."""
    return Archive.objects.create(owner=owner, name=_checked_archive_name(owner, name))


def archive_describe(*, archive: Archive, name: str | None = None, **own: Any) -> None:
    """Give it another name, a `description` or `metadata`. Raises InvalidInput, also for an agent's own."""
    if name is not None and name != archive.name:
        if Agent.objects.filter(archive=archive).exists():
            raise BelongsToAgent(_("This archive belongs to an agent and has its name."))
        archive.name = _checked_archive_name(archive.owner, name)
    for field, value in own.items():
        setattr(archive, field, value)
    with transaction.atomic():
        archive.save(update_fields=["name", *own])
        archival_storage.announce(archive)


def _checked_archive_name(owner: "User", name: str) -> str:
    name = " ".join(typed(name).split())
    if not name:
        raise InvalidInput(_("Give the archive a name."))
    if len(name) > LONGEST_ARCHIVE_NAME:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_ARCHIVE_NAME})
    if Archive.objects.filter(owner=owner, name__iexact=name).exists():
        raise NameTaken(_("You already have an archive called “%(name)s”. Choose another name.") % {"name": name})
    return name


def archive_attach(*, agent: Agent, archive: Archive) -> None:
    """Let the agent search an archive of its owner. Raises InvalidInput if it can already."""
    names = {"agent": agent.name, "archive": archive.name}
    if archive.owner_id != agent.owner_id:
        raise InvalidInput(_("There is no archive called “%(archive)s”.") % names)
    if archive.pk == agent.archive_id or agent.attached_archives.filter(pk=archive.pk).exists():
        raise InvalidInput(_("%(agent)s searches “%(archive)s” already.") % names)
    with transaction.atomic():
        agent.attached_archives.add(archive)
        archival_storage.announce(archive)


def archive_detach(*, agent: Agent, archive: Archive) -> None:
    """The agent searches the archive no more; nothing in it changes."""
    with transaction.atomic():
        archival_storage.announce(archive)  # first: afterwards this agent is not among those who are told
        agent.attached_archives.remove(archive)


def archive_delete(*, archive: Archive) -> None:
    """Delete an archive with its documents and passages. Raises InvalidInput for an agent's own."""
    if Agent.objects.filter(archive=archive).exists():
        raise BelongsToAgent(_("This archive belongs to an agent and goes with it."))
    with transaction.atomic():
        archival_storage.announce(archive)
        archive.delete()


# Passages


def passage_add(*, archive: Archive, text: str) -> Passage:
    """File a passage by hand. Raises InvalidInput; LLMError if it cannot be embedded."""
    return passages_add(archive=archive, filings=[Filing(text=text)])[0]


def passages_add(*, archive: Archive, filings: Sequence[Filing]) -> list[Passage]:
    """File several, all or none. Raises as `passage_add`."""
    return archival_storage.insert_all(archive, [replace(f, text=_checked_passage(f.text)) for f in filings])


def passage_edit(*, passage: Passage, text: str) -> Passage:
    """Give a passage another text, found under its new words and meaning at once. Raises as `passage_add`."""
    return archival_storage.rewrite(passage, _checked_passage(text))


def _checked_passage(text: str) -> str:
    text = typed(text).strip()
    if not text:
        raise InvalidInput(_("There is nothing to file: the text is empty."))
    if len(text) > LONGEST_PASSAGE:
        sizes = {"tried": f"{len(text):,}", "most": f"{LONGEST_PASSAGE:,}"}
        raise InvalidInput(_("The text has %(tried)s characters; file at most %(most)s, or upload a document.") % sizes)
    return text


def passages_retract(*, passages: "QuerySet[Passage]") -> list[int]:
    """Take passages out of every search; `passages_bring_back` undoes it for an hour. Returns the ids that went."""
    return _mark(passages.filter(retracted_at=None), retracted=True)


def passages_bring_back(*, passages: "QuerySet[Passage]") -> list[int]:
    """Undo `passages_retract`. Returns the ids that are back."""
    return _mark(passages.exclude(retracted_at=None), retracted=False)


def _mark(passages: "QuerySet[Passage]", *, retracted: bool) -> list[int]:
    with transaction.atomic():
        ids = list(passages.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
        Passage.objects.filter(pk__in=ids).update(retracted_at=timezone.now() if retracted else None)
        _announce(Archive.objects.filter(passages__in=ids).distinct())
    return ids


def _announce(archives: Iterable[Archive]) -> None:
    for archive in archives:
        archival_storage.announce(archive)


# Documents


def document_add(*, archive: Archive, file: "UploadedFile[bytes]") -> Document:
    """Take an upload and have it ingested. Raises InvalidInput: wrong kind, too large, empty, there already,
    or no room for it. An export may come again: what is missing of it is added."""
    return document_bring(archive=archive, file=file, name=(file.name or "document")[-255:])


def document_bring(
    *, archive: Archive, file: "UploadedFile[bytes]", name: str, media_type: str = "", **known: Any
) -> Document:
    """The same for one that comes from elsewhere. `known` are further fields of it; with a `media_type` it is one that
    memweb has made itself, a conversation, and is not looked at as an upload is."""
    media_type = media_type or check_upload(file)
    quotas.check_bytes(archive.owner_id, file.size or 0)
    sha256 = sha256_of(file)
    same = archive.documents.filter(sha256=sha256).first()
    if same and not same.may_come_again:
        names = {"name": name, "same": same.name}
        raise InvalidInput(_("“%(name)s” is in this archive already, as “%(same)s”.") % names)
    document = Document(archive=archive, name=name, sha256=sha256, media_type=media_type, size=file.size or 0, **known)
    ending = "json" if media_type == CONVERSATION else name.rpartition(".")[2].lower()
    _keep_file(document, f"{sha256[:16]}.{ending}", file)
    try:
        with transaction.atomic():
            if same:
                same.delete()
            document.save()
            dispatch.ingest()
            archival_storage.announce_document(document)
    except IntegrityError as error:  # two uploads of it at once
        document.file.delete(save=False)
        raise InvalidInput(_("“%(name)s” is in this archive already.") % {"name": name}) from error
    return document


def _keep_file(document: Document, name: str, file: "UploadedFile[bytes]") -> None:
    try:
        document.file.save(name, file, save=False)
    except OSError as error:
        names = {"name": document.name, "reason": error.strerror or error}
        reason = _("“%(name)s” could not be stored: %(reason)s") % names
        raise InvalidInput(faults.sentence_of(error) or reason) from error


def document_delete(*, document: Document) -> None:
    """Delete a document with its passages and its file."""
    with transaction.atomic():
        archival_storage.announce_document(document)
        document.delete()
        archival_storage.announce(document.archive)


def document_retry(*, document: Document) -> None:
    """Have a failed document ingested again; what it stored already is kept. Without its file it stays failed."""
    if not document.file:
        return
    with transaction.atomic():
        Document.objects.filter(pk=document.pk).update(
            status=Document.Status.QUEUED, error="", attempts=0, worked_at=timezone.now()
        )
        dispatch.ingest()
        archival_storage.announce_document(document)

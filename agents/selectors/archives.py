"""Archives, their documents and passages."""

from collections.abc import Collection
from typing import Literal

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When

from agents.models import Agent, Archive, Document, Message, Passage
from agents.models.searched import SearchedQuerySet

PassageKind = Literal["filed", "added", "documents"]  # by the agent, by a person, from documents


def archives_of(agent: Agent) -> "QuerySet[Archive]":
    """What it searches, its own first. `has_writer`: it belongs to an agent."""
    mine = Case(When(pk=agent.archive_id, then=0), default=1)
    owned = Exists(Agent.objects.filter(archive=OuterRef("pk")))
    searched = Archive.objects.filter(Q(pk=agent.archive_id) | Q(pk__in=agent.attached_archives.values("pk")))
    return searched.annotate(has_writer=owned, mine=mine).order_by("mine", "name")


def archives_to_attach(agent: Agent) -> "QuerySet[Archive]":
    """The person's other archives, those of other agents among them."""
    return Archive.objects.filter(owner=agent.owner_id).exclude(
        Q(pk=agent.archive_id) | Q(pk__in=agent.attached_archives.values("pk"))
    )


def documents_of(agent: Agent) -> "QuerySet[Document]":
    """The documents in the archives it searches."""
    searched = Q(archive=agent.archive_id) | Q(archive__in=agent.attached_archives.values("pk"))
    return Document.objects.filter(searched).select_related("archive")


def documents_without_files(agent: Agent) -> list[Document]:
    """Those whose files did not come along when the agent was imported: they are to be uploaded again."""
    return list(documents_of(agent).filter(status=Document.Status.FAILED, file="").order_by("pk"))


def documents_listed(agent: Agent, most: int) -> tuple[list[Document], int]:
    """All its documents, but of conversations the first `most`: those in work, what failed, then the latest. Also how
    many are left out. Three queries."""
    rows = documents_of(agent)
    conversations = rows.exclude(conversation="")
    waiting = [Document.Status.QUEUED, Document.Status.READY]
    order = Case(When(status__in=waiting, then=1), default=0)
    latest = conversations.order_by(order, F("said_at").desc(nulls_last=True), "-pk")[:most]
    return [*rows.filter(conversation=""), *latest], max(0, conversations.count() - most)


def passages_of_kind(rows: "SearchedQuerySet[Passage]", kind: str, archive: int | None) -> "SearchedQuerySet[Passage]":
    """Those of `rows` that are of a `PassageKind` and in one archive; another kind, or None, narrows nothing."""
    if kind == "documents":
        rows = rows.filter(document__isnull=False)
    elif kind in ("filed", "added"):
        rows = rows.filter(document=None, step__isnull=kind == "added")
    return rows if archive is None else rows.filter(archive=archive)


def filed_in(agent: Agent, passages: Collection[Passage]) -> dict[int, Message]:
    """By step, the message of the step that filed each passage. One query."""
    steps = {passage.step_id for passage in passages if passage.step_id}
    rows = agent.messages.filter(step__in=steps, kind=Message.Kind.ASSISTANT, retracted_at=None).only("seq", "step")
    return {message.step_id: message for message in rows if message.step_id}

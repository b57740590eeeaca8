"""Archival storage: archives, the documents put into them, and passages."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from agents.models.searched import SearchedQuerySet


class Archive(models.Model):
    """A named archival store. Its `writer`, if any, is the agent that owns it; `readers` may search it too."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="archives")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, db_default="", default="")
    metadata = models.JSONField(
        db_default=models.Value({}, models.JSONField()), default=dict, blank=True
    )  # programs' own
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("archive"), _("archives")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """A file in an archive. Ingestion counts `done` of `total` in passages once it has read the file.

    An export of another service's chats is unpacked: each conversation in it becomes a document, known again by its
    `conversation`; the export itself has no file from then on and counts in `conversations` how many it had.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        READING = "reading", _("reading")
        EMBEDDING = "embedding", _("storing")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    archive = models.ForeignKey(Archive, models.CASCADE, related_name="documents")
    name = models.CharField(max_length=255)
    file = models.FileField(upload_to="documents/%Y/%m/", blank=True)
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=80)
    size = models.PositiveBigIntegerField(help_text=_("In bytes."))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    pages = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # to read it; a file that takes its worker down is given up
    worked_at = models.DateTimeField(auto_now=True)  # a stale one is taken up again by the reaper
    created_at = models.DateTimeField(auto_now_add=True)
    conversation = models.CharField(max_length=120, blank=True, db_default="", default="")
    said_at = models.DateTimeField(null=True, blank=True)  # last, in the conversation
    conversations = models.PositiveIntegerField(null=True, blank=True)  # of an export that was unpacked
    added = models.PositiveIntegerField(db_default=0, default=0)  # of these: those that were new or had grown

    class Meta:
        verbose_name, verbose_name_plural = _("document"), _("documents")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["archive", "sha256"], name="document_once_per_archive"),
            models.UniqueConstraint(
                fields=["archive", "conversation"],
                name="conversation_once_per_archive",
                condition=~models.Q(conversation=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def may_come_again(self) -> bool:
        """Whether another upload of the same file takes its place: it failed, or is an export that was unpacked."""
        return self.status == self.Status.FAILED or self.conversations is not None

    @property
    def percent(self) -> int:
        """How much of it is done, rounded down; 0 until the total is known."""
        return 100 * self.done // self.total if self.total else 0


@receiver(post_delete, sender=Document)
def _delete_file(instance: Document, **_: object) -> None:
    """A file goes with its row, whatever deleted it."""
    transaction.on_commit(lambda: instance.file.delete(save=False))


class Passage(models.Model):
    """A piece of text that archival search can find; `step` made it, or a person, or it is part of `document`.

    `page` is a page or slide of the document, `place` names a chapter, sheet or heading. A retracted passage is found
    no more; it can be brought back until the reaper deletes it.
    """

    SEARCH_COLUMNS = ("embedding", "words")

    archive = models.ForeignKey(Archive, models.CASCADE, related_name="passages")
    document = models.ForeignKey(Document, models.CASCADE, null=True, blank=True, related_name="passages")
    page = models.PositiveIntegerField(null=True, blank=True)
    place = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField(default=0)  # within the document
    text = models.TextField()
    tokens = models.PositiveIntegerField(default=0)
    tags = models.JSONField(db_default=models.Value([], models.JSONField()), default=list, blank=True)  # of texts
    step = models.ForeignKey("agents.Step", models.SET_NULL, null=True, blank=True, related_name="passages")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    retracted_at = models.DateTimeField(null=True, blank=True)

    embedding = HalfVectorField(null=True, blank=True)
    embedding_model = models.CharField(max_length=120, blank=True)
    words = SearchVectorField(null=True, blank=True)
    words_form = models.PositiveSmallIntegerField(db_default=0)  # in which `words` are: `external_context.words.FORM`

    objects = SearchedQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("passage"), _("passages")
        ordering = ["-id"]
        constraints = [
            # Resumed ingestion cannot store a piece twice; passages without a document are not compared.
            models.UniqueConstraint(fields=["document", "position"], name="passage_once_per_document")
        ]
        indexes = [
            GinIndex(fields=["words"], name="passage_words"),
            models.Index(
                fields=["id"], name="passage_words_older", condition=models.Q(words__isnull=False, words_form__lt=1)
            ),
            models.Index(fields=["archive", "-id"], name="passage_newest"),
            models.Index(fields=["embedding_model", "id"], name="passage_embedded_by"),
            models.Index(fields=["retracted_at"], name="passage_retracted", condition=~models.Q(retracted_at=None)),
        ]

    def __str__(self) -> str:
        return self.text[:60]

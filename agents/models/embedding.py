"""Which embedding model makes the vectors, where people chose one in the page; and the vectors of one to come."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField


class EmbeddingChoice(models.Model):
    """An embedding model: the one in use, one that is to take its place, or one whose cost somebody wants to know.
    Where none is in use, the settings decide.

    `name` is stored with each vector, as that of `llm.embeddings.Embedder`. `total` and `done` are rows, of passages
    and messages together; `seconds` is what one of them takes, as measured.
    """

    class State(models.TextChoices):
        USED = "used", _("in use")
        COMING = "coming", _("to come")
        ASKED = "asked", _("asked about")

    state = models.CharField(max_length=6, choices=State.choices, default=State.ASKED, unique=True)
    # The server that is asked; none is the model on this machine.
    connection = models.ForeignKey("agents.Connection", models.RESTRICT, null=True, blank=True, related_name="+")
    model = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=120, blank=True)
    dimension = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    # Whose messages have theirs: all agents up to this one.
    agent = models.UUIDField(null=True, blank=True)
    error = models.TextField(blank=True)
    worked_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name, verbose_name_plural = _("embedding model"), _("embedding models")

    def __str__(self) -> str:
        return self.name

    @property
    def minutes(self) -> int:
        """That the rows which are left take, at least one."""
        return max(1, round((self.total - self.done) * self.seconds / 60))


class ComingVector(models.Model):
    """Of a row whose vectors are being made anew, until all have theirs. `row` is its key; `text` a hash of what was
    embedded, since a row may say something else by then."""

    row = models.BigIntegerField(primary_key=True)
    text = models.CharField(max_length=32)  # MD5 in hexadecimal
    embedding = HalfVectorField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"vector of {self.row}"


class ComingPassageVector(ComingVector):
    """Of a passage."""


class ComingMessageVector(ComingVector):
    """Of a message, with the one of its context."""

    context_embedding = HalfVectorField()

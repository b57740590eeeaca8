"""Recall storage: every message ever, which is also the timeline of the page."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from agents.models.searched import SearchedQuerySet


class Message(models.Model):
    """One entry of an agent's timeline.

    `seq` orders it and is null while it waits for its run. `calls` of an assistant message is a list of
    `{"id", "name", "arguments"}` with `arguments` as the model wrote them. `content` of an assistant message is what
    it sent with `send_message`; of a function result, the packaged JSON. `earlier` keeps what an edited message said
    before: `{"until", "content", "inner_monologue", "calls"}`, oldest first. A retracted message is in no prompt and no
    search.
    """

    class Kind(models.TextChoices):
        USER_MESSAGE = "user_message", _("user message")
        ASSISTANT = "assistant", _("assistant")
        FUNCTION_RESULT = "function_result", _("function result")
        HEARTBEAT = "heartbeat", _("heartbeat")
        SYSTEM_ALERT = "system_alert", _("system alert")
        LOGIN = "login", _("login")
        NOTICE = "notice", _("notice")  # for people only: never in a prompt

    SEARCH_COLUMNS = ("embedding", "words", "context_embedding", "context_words")

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="messages")
    seq = models.PositiveBigIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    content = models.TextField(blank=True)
    inner_monologue = models.TextField(blank=True)
    calls = models.JSONField(default=list, blank=True)
    call_id = models.CharField(max_length=120, blank=True)  # of a function result
    function = models.CharField(max_length=80, blank=True)  # of a function result
    failed = models.BooleanField(default=False)  # a failed function result, or a notice of a failed run
    stopped = models.BooleanField(default=False)  # a reply that somebody cut short
    tokens = models.PositiveIntegerField(default=0)
    run = models.ForeignKey("agents.Run", models.SET_NULL, null=True, blank=True, related_name="messages")
    step = models.ForeignKey("agents.Step", models.SET_NULL, null=True, blank=True, related_name="messages")
    created_at = models.DateTimeField()
    utc_offset = models.DurationField(null=True, blank=True)  # of the person's clock then: `agents.person.own_time`
    retracted_at = models.DateTimeField(null=True, blank=True)
    earlier = models.JSONField(default=list, blank=True)
    # What the model's server wants back with an answer of its own: "server" says which, the rest is as it came.
    state = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True)

    # That came with it: "file" in the storage, its "sha256", "kind" as in image/png, "width", "height", "tokens", and
    # "seen": whether the model that was to answer takes pictures.
    pictures = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)

    embedding = HalfVectorField(null=True, blank=True)
    embedding_model = models.CharField(max_length=120, blank=True)
    words = SearchVectorField(null=True, blank=True)
    words_form = models.PositiveSmallIntegerField(db_default=0)  # in which `words` are: `external_context.words.FORM`
    # Made in the background, of what was said just before as well; `session` is the seq at which that talk began.
    session = models.PositiveBigIntegerField(null=True, blank=True)
    context_embedding = HalfVectorField(null=True, blank=True)
    context_words = SearchVectorField(null=True, blank=True)

    objects = SearchedQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ["agent", "seq"]
        constraints = [models.UniqueConstraint(fields=["agent", "seq"], name="message_seq_once_per_agent")]
        indexes = [
            GinIndex(fields=["words"], name="message_words"),
            models.Index(
                fields=["agent", "seq"],
                name="message_words_older",
                condition=models.Q(words__isnull=False, words_form__lt=1),
            ),
            GinIndex(fields=["context_words"], name="message_context_words"),
            models.Index(fields=["agent"], name="message_with_pictures", condition=~models.Q(pictures=[])),
            models.Index(fields=["agent", "created_at"], name="message_by_time"),
            models.Index(
                fields=["agent", "seq"],
                name="message_not_embedded",
                condition=models.Q(kind__in=["user_message", "assistant"], seq__isnull=False, retracted_at=None)
                & models.Q(context_embedding=None)
                & ~models.Q(content=""),
            ),
            models.Index(fields=["agent", "id"], name="message_waiting", condition=models.Q(seq__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class Summary(models.Model):
    """The recursive summary (paper section 2.2): of everything with a seq below `covers_to`."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="summaries")
    text = models.TextField()
    covers_to = models.PositiveBigIntegerField()
    tokens = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = _("summary"), _("summaries")
        ordering = ["-covers_to", "-id"]
        constraints = [models.UniqueConstraint(fields=["agent", "covers_to"], name="summary_once_per_cut")]

    def __str__(self) -> str:
        return f"summary to {self.covers_to}"

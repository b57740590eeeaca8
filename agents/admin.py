"""The operator's side: personas, humans and blocks are edited here; the rest is to be looked at."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from agents import services
from agents.exceptions import InvalidInput
from agents.main_context import working_context
from agents.models import (
    Agent,
    AgentBlock,
    Archive,
    Block,
    BlockRevision,
    Document,
    Human,
    Persona,
    Run,
    Step,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

admin.site.site_header = admin.site.site_title = "memweb"
admin.site.index_title = "Agents and their memory"


class ReadOnly:
    """For what only the engine writes."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Persona, Human)
class PresetAdmin(admin.ModelAdmin[Any]):
    list_display = ("name", "owner", "length", "created_at")
    list_filter = ("owner",)
    search_fields = ("name", "text")

    @admin.display(description="characters")
    def length(self, preset: Persona | Human) -> int:
        return len(preset.text)


class RevisionInline(ReadOnly, admin.TabularInline[BlockRevision, Block]):
    model = BlockRevision
    fields = ("number", "value", "editor", "user", "agent", "created_at")
    readonly_fields = fields
    extra = 0
    show_change_link = False


class BlockForm(forms.ModelForm[Block]):
    """Carries the revision the page was opened with, so that a later edit is never overwritten."""

    value = forms.CharField(
        strip=False, required=False, widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 12, "cols": 100})
    )
    from_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Block
        fields = ("owner", "label", "value", "limit", "description", "read_only")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["from_revision"] = self.instance.revision

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["value"] = value = data.get("value", "").replace("\r\n", "\n")
        limit = data.get("limit")
        if limit is not None and len(value) > limit:
            self.add_error("value", f"This text has {len(value):,} characters; the block holds {limit:,}.")
        current = Block.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
        if current and current.value != value and current.revision != data.get("from_revision"):
            self.add_error(
                "value",
                f"The block was changed while you were editing. It now says: “{current.value}”. "
                "Your text is kept here; save again to put it in its place.",
            )
            self.data = {**self.data.dict(), "from_revision": str(current.revision)}  # type: ignore[attr-defined]
        return data


@admin.register(Block)
class BlockAdmin(admin.ModelAdmin[Block]):
    form = BlockForm
    list_display = ("label", "used_by", "owner", "length", "limit", "read_only", "revision", "updated_at")
    list_filter = ("label", "read_only", "owner")
    search_fields = ("label", "value", "agents__name", "owner__username")
    readonly_fields = ("used_by", "revision", "updated_at")
    inlines = (RevisionInline,)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Block]":
        return super().get_queryset(request).prefetch_related("agents")

    def get_readonly_fields(self, request: HttpRequest, obj: Block | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    @admin.display(description="agents")
    def used_by(self, block: Block) -> str:
        return ", ".join(agent.name for agent in block.agents.all()) or "none"

    @admin.display(description="characters")
    def length(self, block: Block) -> int:
        return len(block.value)

    def save_model(self, request: HttpRequest, obj: Block, form: Any, change: bool) -> None:
        """The text goes through the service, so that it makes a revision and reaches open pages."""
        if not change:
            super().save_model(request, obj, form, change)
            services.block_record_import(block=obj)
            return
        others = [name for name in form.changed_data if name not in ("value", "from_revision")]
        lowered = "limit" in others and obj.limit < form.initial["limit"]
        if lowered:  # the text first: the old one may be over the new limit
            self._save_value(request, obj, form)
        if others:
            obj.save(update_fields=[*others, "updated_at"])
            working_context.announce(obj)
        if not lowered:
            self._save_value(request, obj, form)

    def _save_value(self, request: HttpRequest, obj: Block, form: Any) -> None:
        if "value" not in form.changed_data:
            return
        editor: User = request.user  # type: ignore[assignment]
        opened_at = form.cleaned_data["from_revision"]
        try:
            edited = services.block_edit(block=obj, value=obj.value, from_revision=opened_at, editor=editor)
            obj.revision = edited.revision
        except InvalidInput as error:
            messages.error(request, str(error))


class AgentBlockInline(admin.TabularInline[AgentBlock, Agent]):
    model = AgentBlock
    extra = 0
    autocomplete_fields = ("block",)


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin[Agent]):
    list_display = ("name", "owner", "model", "context_window", "message_count", "last_active_at")
    list_filter = ("owner", "model")
    search_fields = ("name", "owner__username")
    readonly_fields = ("id", "archive", "queue_start", "created_at", "last_active_at")
    filter_horizontal = ("attached_archives",)
    inlines = (AgentBlockInline,)

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        """With its archive and its blocks, as from the page."""
        services.agent_delete(agent=obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Agent]") -> None:
        for agent in queryset:
            services.agent_delete(agent=agent)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Agent]":
        return super().get_queryset(request).annotate(message_total=Count("messages"))

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Only what was changed here: a run may have moved the agent's counters since the page was opened."""
        obj.save(update_fields=[name for name in form.changed_data if name != "attached_archives"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # an agent needs its blocks and archive: the page makes them together

    @admin.display(description="messages", ordering="message_total")
    def message_count(self, agent: Any) -> int:
        total: int = agent.message_total
        return total


@admin.register(Archive)
class ArchiveAdmin(admin.ModelAdmin[Archive]):
    list_display = ("name", "owner", "passage_count", "document_count", "created_at")
    list_filter = ("owner",)
    search_fields = ("name", "owner__username")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Archive]":
        counted = {
            "passage_total": Count("passages", distinct=True),
            "document_total": Count("documents", distinct=True),
        }
        return super().get_queryset(request).annotate(**counted)

    @admin.display(description="passages", ordering="passage_total")
    def passage_count(self, archive: Any) -> int:
        total: int = archive.passage_total
        return total

    @admin.display(description="documents", ordering="document_total")
    def document_count(self, archive: Any) -> int:
        total: int = archive.document_total
        return total


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin[Document]):
    list_display = ("name", "archive", "status", "pages", "done", "total", "size", "created_at")
    list_filter = ("status", "media_type", "archive__owner")
    search_fields = ("name", "archive__name", "sha256")
    readonly_fields = tuple(field.name for field in Document._meta.fields)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        """As from the page, whose other tabs are told."""
        services.document_delete(document=obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Document]") -> None:
        for document in queryset:
            services.document_delete(document=document)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class StepInline(ReadOnly, admin.TabularInline[Step, Run]):
    model = Step
    fields = (
        "number",
        "model",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "time_to_first_token",
        "latency",
        "finish_reason",
    )
    readonly_fields = fields
    extra = 0


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin[Run]):
    list_display = ("id", "agent", "trigger", "status", "step_count", "error", "created_at", "finished_at")
    list_filter = ("status", "trigger", "agent__owner")
    search_fields = ("agent__name", "agent__owner__username", "error")
    date_hierarchy = "created_at"
    inlines = (StepInline,)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Not a run by itself; but with its agent, or with the person whose agent it is."""
        page = (request.resolver_match and request.resolver_match.url_name) or ""
        return not page.startswith("agents_run_") and request.user.has_perm("agents.delete_run")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Run]":
        return super().get_queryset(request).select_related("agent").annotate(step_total=Count("steps"))

    @admin.display(description="steps", ordering="step_total")
    def step_count(self, run: Any) -> int:
        total: int = run.step_total
        return total

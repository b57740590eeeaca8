"""Personas, humans and blocks are edited here; the rest is to be looked at."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from agents import selectors, services
from agents.admin import origins, revisions, usage
from agents.admin.bases import EngineOnly, ReadOnly, Searched, link, links
from agents.admin.forms import AgentForm, BlockForm, PresetForm
from agents.exceptions import InvalidInput
from agents.models import (
    Agent,
    AgentBlock,
    Archive,
    Block,
    Checkpoint,
    Document,
    Human,
    Message,
    Passage,
    Persona,
    Preferences,
    Run,
    Step,
)
from agents.selectors import usage as figures

if TYPE_CHECKING:
    UserAdminBase = UserAdmin[User]
else:
    UserAdminBase = UserAdmin

admin.site.site_header = admin.site.site_title = "memweb"
admin.site.index_title = _("Agents and their memory")
admin.site.unregister([User, TOTPDevice, StaticDevice])  # keys and codes are for nobody to see

STATE = ("id", "archive", "queue_start", "timeline_version", "created_at", "last_active_at")  # of an agent


@admin.register(Persona, Human)
class PresetAdmin(admin.ModelAdmin[Any]):
    form = PresetForm
    fields = ("name", "owner", "text", "begun")
    readonly_fields = ("begun",)
    list_display = ("name", "owner", "length", "begun_count", "created_at")
    list_filter = ("owner",)
    list_select_related = ("owner",)
    search_fields = ("name", "text")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: QuerySet[Any] = super().get_queryset(request).annotate(begun_total=origins.agents_begun())
        return rows

    @admin.display(description=_("characters"))
    def length(self, preset: Persona | Human) -> str:
        return f"{len(preset.text):,}"

    @admin.display(description=_("agents that began with it"), ordering="begun_total")
    def begun_count(self, preset: Any) -> str:
        return f"{preset.begun_total:,}"

    @admin.display(description=_("agents that began with it"))
    def begun(self, preset: Persona | Human) -> Any:
        """With their block, which may say something else by now."""
        if preset._state.adding:
            return _("none")
        changed, same = _("changed since"), _("as it began")
        rows = (
            (link(place.agent), link(place.block), same if place.block.value == preset.text else changed)
            for place in origins.places_of(preset)[:50]
        )
        return format_html_join("", "<div>{}: {}, {}</div>", rows) or _("none")


@admin.register(Block)
class BlockAdmin(admin.ModelAdmin[Block]):
    form = BlockForm
    list_display = ("label", "used_by", "owner", "length", "last_words", "last_editor", "updated_at", "read_only")
    list_filter = ("label", "read_only", "owner")
    search_fields = ("label", "value", "agents__name", "owner__username")
    readonly_fields = ("used_by", "began_with", "last_change", "history", "revision", "updated_at")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Block]":
        return super().get_queryset(request).prefetch_related("agents", revisions.last_two())

    def get_readonly_fields(self, request: HttpRequest, obj: Block | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "owner") if obj else self.readonly_fields

    def get_fieldsets(self, request: HttpRequest, obj: Block | None = None) -> Any:
        written = ("label", "owner", "value", "limit", "description", "read_only")
        if obj is None:
            return [(None, {"fields": written})]
        hidden = ("from_revision",) if self.has_change_permission(request, obj) else ()
        return [
            (
                None,
                {"fields": ("label", "owner", "value", "last_change", "limit", "description", "read_only", *hidden)},
            ),
            (_("Where it is"), {"fields": ("used_by", "began_with")}),
            (_("History"), {"fields": ("revision", "updated_at", "history")}),
        ]

    @admin.display(description=_("agents"))
    def used_by(self, block: Block) -> Any:
        return links(block.agents.all(), _("none"))

    @admin.display(description=_("began with"))
    def began_with(self, block: Block) -> Any:
        return links(origins.presets_of(block), _("a text of its own"))

    @admin.display(description=_("characters"))
    def length(self, block: Block) -> str:
        return f"{len(block.value):,} / {block.limit:,}"

    @admin.display(description=_("last change"))
    def last_words(self, block: Any) -> str:
        change = self._last(block)
        return render_to_string("admin/agents/_words.html", {"change": revisions.shortened(change)}) if change else "–"

    @admin.display(description=_("by"))
    def last_editor(self, block: Any) -> str:
        change = self._last(block)
        return change.who if change else "–"

    @admin.display(description=_("last change"))
    def last_change(self, block: Any) -> str:
        change = self._last(block)
        return render_to_string("admin/agents/_change.html", {"change": change}) if change else "–"

    @admin.display(description=_("revisions"))
    def history(self, block: Block) -> str:
        total = block.revisions.count()
        return render_to_string(
            "admin/agents/_history.html", {"changes": revisions.history(block), "total": total, "most": revisions.SHOWN}
        )

    def _last(self, block: Any) -> revisions.Change | None:
        newest = block.last_two
        return revisions.change(newest[0], newest[1] if len(newest) > 1 else None) if newest else None

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
            self._describe(request, obj)
        if not lowered:
            self._save_value(request, obj, form)

    def _describe(self, request: HttpRequest, obj: Block) -> None:
        settings = services.BlockSettings.of(obj)
        try:
            services.block_describe(block=obj, settings=settings)
        except InvalidInput as error:
            messages.error(request, str(error))

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
    readonly_fields = ("page",)

    @admin.display(description=_("page"))
    def page(self, place: AgentBlock) -> Any:
        return link(place.block) if place.pk else ""


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin[Agent]):
    form = AgentForm
    # Chosen in the page, where only the owner's and everybody's connections are offered.
    exclude = ("detached_functions", "attached_functions", "ask_first", "connection", "summary_connection")
    list_display = ("name", "owner", *usage.LISTED, "last_active_at")
    list_filter = ("owner", "model")
    search_fields = ("name", "owner__username")
    filter_horizontal = ("attached_archives",)
    readonly_fields = (*STATE, *usage.LISTED)  # type: ignore[assignment]  # functions will do
    inlines = (AgentBlockInline,)

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        edited = [name for name in self.get_fields(request, obj) if name not in self.readonly_fields]
        return [(None, {"fields": edited}), (_("Usage"), {"fields": usage.LISTED}), (_("State"), {"fields": STATE})]

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        """With its archive and its blocks, as from the page."""
        services.agent_delete(agent=obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Agent]") -> None:
        for agent in queryset:
            services.agent_delete(agent=agent)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Agent]":
        return super().get_queryset(request).annotate(**figures.by_agent())

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Only what was changed here: a run may have moved the agent's counters since the page was opened."""
        chosen = {"functions", "asked_about"}
        obj.save(update_fields=[name for name in form.changed_data if name not in {"attached_archives", *chosen}])
        if chosen & set(form.changed_data):
            form.choose()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # an agent needs its blocks and archive: the page makes them together


@admin.register(User)
class PersonAdmin(UserAdminBase):
    """Django's own, and what each person has used."""

    list_display = ("username", "is_staff", "two_factor", "agent_count", *usage.LISTED, "last_active")
    change_list_template = "admin/agents/change_list.html"
    actions = ("two_factor_remove",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        coded = selectors.with_two_factor()
        return super().get_queryset(request).annotate(**figures.by_person(), logs_in_with_code=coded)

    @admin.display(description=_("logs in with a code"), ordering="logs_in_with_code", boolean=True)
    def two_factor(self, person: Any) -> bool:
        return bool(person.logs_in_with_code)

    @admin.action(
        description=_("Let the chosen people log in without a code: the device is lost"), permissions=["change"]
    )
    def two_factor_remove(self, request: HttpRequest, queryset: "QuerySet[User]") -> None:
        people = list(queryset.filter(selectors.with_two_factor()))
        for person in people:
            services.two_factor_remove(owner=person)
            self.log_change(request, person, "Logs in without a code from now on.")
        text = ngettext(
            "%(count)s person logs in without a code now.", "%(count)s people log in without a code now.", len(people)
        )
        self.message_user(request, text % {"count": len(people)}, messages.SUCCESS)

    @admin.display(description=_("agents"), ordering="used_agents")
    def agent_count(self, person: Any) -> Any:
        theirs = reverse("admin:agents_agent_changelist", query={"owner__id__exact": person.pk})
        return format_html('<a href="{}">{}</a>', theirs, person.used_agents) if person.used_agents else "0"

    @admin.display(description=_("last active"), ordering=F("used_last").desc(nulls_last=True))
    def last_active(self, person: Any) -> Any:
        return person.used_last


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnly, admin.ModelAdmin[Checkpoint]):
    list_display = ("name", "agent", "block_labels", "last_seq", "queue_start", "created_at")
    list_filter = ("agent__owner",)
    list_select_related = ("agent",)
    search_fields = ("name", "agent__name", "agent__owner__username")
    fields = ("name", "agent", "created_at", "last_seq", "queue_start", "summary", "block_texts", "system_instructions")
    readonly_fields = ("block_texts",)

    @admin.display(description=_("blocks"))
    def block_labels(self, checkpoint: Checkpoint) -> str:
        return ", ".join(block["label"] for block in checkpoint.blocks)

    @admin.display(description=_("blocks"))
    def block_texts(self, checkpoint: Checkpoint) -> Any:
        rows = ((block["label"], block["value"]) for block in checkpoint.blocks)
        return format_html_join("", '<p><b>{}</b></p><p class="words">{}</p>', rows) or _("none")


@admin.register(Preferences)
class PreferencesAdmin(ReadOnly, admin.ModelAdmin[Preferences]):
    """The page writes them whenever a person opens it."""

    list_display = ("user", "language", "browser_zone", "chosen_zone")
    list_filter = ("language",)
    search_fields = ("user__username",)


@admin.register(Archive)
class ArchiveAdmin(admin.ModelAdmin[Archive]):
    list_display = ("name", "owner", usage.PASSAGES, usage.DOCUMENTS, "created_at")
    list_filter = ("owner",)
    search_fields = ("name", "owner__username")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Archive]":
        return super().get_queryset(request).annotate(**figures.of_archive())


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin[Document]):
    list_display = ("name", "archive", "status", "pages", "done", "total", "attempts", "size", "created_at")
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


@admin.register(Passage)
class PassageAdmin(Searched):
    list_display = ("__str__", "archive", "document", "page", "place", "tokens", "created_at", "retracted_at")
    list_select_related = ("archive", "document")
    list_filter = ("archive__owner", ("retracted_at", admin.EmptyFieldListFilter))
    search_fields = ("text", "place", "archive__name", "document__name")


@admin.register(Message)
class MessageAdmin(Searched):
    list_display = ("__str__", "agent", "beginning", "tokens", "created_at", "retracted_at", "versions")
    list_filter = ("kind", "agent__owner", "failed", "stopped", ("retracted_at", admin.EmptyFieldListFilter))
    list_select_related = ("agent",)
    search_fields = ("content", "agent__name")
    ordering = ("-id",)

    @admin.display(description=_("content"))
    def beginning(self, message: Message) -> str:
        return message.content[:80] + "…" * (len(message.content) > 80)

    @admin.display(description=_("edits"))
    def versions(self, message: Message) -> int:
        return len(message.earlier)


class StepInline(EngineOnly, admin.TabularInline[Step, Run]):
    model = Step
    fields = (
        *("number", "model", "prompt_tokens", "cached_tokens", "completion_tokens", "window", "flush_mark"),
        *("same_prefix", "time_to_first_token", "latency", "finish_reason"),
    )
    readonly_fields = fields
    extra = 0

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Step]":
        return super().get_queryset(request).annotate(prefix_sha=F("prefix__sha256"))

    @admin.display(description=_("prefix"))
    def same_prefix(self, step: Any) -> str:
        """Steps that show the same had the same before their queue, as far as a cache can serve."""
        return (step.prefix_sha or "–")[:8]


@admin.register(Run)
class RunAdmin(EngineOnly, admin.ModelAdmin[Run]):
    list_display = ("id", "agent", "trigger", "status", "step_count", "error", "created_at", "finished_at")
    list_filter = ("status", "trigger", "agent__owner")
    search_fields = ("agent__name", "agent__owner__username", "error")
    date_hierarchy = "created_at"
    inlines = (StepInline,)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Run]":
        return super().get_queryset(request).select_related("agent").annotate(step_total=Count("steps"))

    @admin.display(description=_("steps"), ordering="step_total")
    def step_count(self, run: Any) -> int:
        total: int = run.step_total
        return total

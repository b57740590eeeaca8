"""Functions that are not memweb's own, as an operator sees them: where they come from, and why a module or a server has
none. A person's server can be removed here."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agents import services
from agents.admin.bases import ReadOnly
from agents.models import FunctionSource, InstalledFunction


class InstalledFunctionInline(ReadOnly, admin.TabularInline[InstalledFunction, FunctionSource]):
    model = InstalledFunction
    fields = readonly_fields = ("name", "description", "ask_first", "idempotent", "time_limit")
    extra = 0


@admin.register(FunctionSource)
class FunctionSourceAdmin(ReadOnly, admin.ModelAdmin[FunctionSource]):
    list_display = ("name", "kind", "owner", "error", "looked_at")
    list_filter = ("kind",)
    list_select_related = ("owner",)
    search_fields = ("name", "functions__name")
    fields = ("name", "kind", "owner", "place", "error", "looked_at")
    inlines = (InstalledFunctionInline,)

    def delete_model(self, request: HttpRequest, obj: FunctionSource) -> None:
        """And have it ended."""
        services.server_remove(server=obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[FunctionSource]") -> None:
        for source in queryset:
            services.server_remove(server=source)

    def has_delete_permission(self, request: HttpRequest, obj: FunctionSource | None = None) -> bool:
        return bool(obj and obj.kind == FunctionSource.Kind.SERVER and request.user.is_staff)

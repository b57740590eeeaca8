"""Functions of one's own, as an operator sees them: where they come from, and why a module has none."""

from django.contrib import admin

from agents.admin.bases import ReadOnly
from agents.models import FunctionSource, InstalledFunction


class InstalledFunctionInline(ReadOnly, admin.TabularInline[InstalledFunction, FunctionSource]):
    model = InstalledFunction
    fields = readonly_fields = ("name", "description", "ask_first", "idempotent", "time_limit")
    extra = 0


@admin.register(FunctionSource)
class FunctionSourceAdmin(ReadOnly, admin.ModelAdmin[FunctionSource]):
    list_display = ("name", "error", "looked_at")
    search_fields = ("name", "functions__name")
    fields = ("name", "place", "error", "looked_at")
    inlines = (InstalledFunctionInline,)

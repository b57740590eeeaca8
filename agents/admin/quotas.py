"""Quotas in the admin: set, and what is used of them."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from agents import quotas
from agents.models import Quota

if TYPE_CHECKING:
    from django.db.models import QuerySet


@admin.register(Quota)
class QuotaAdmin(admin.ModelAdmin[Quota]):
    list_display = ("__str__", "agents", "passages", "megabytes", "runs_at_once", "tokens_a_day")
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)
    fields = ("user", "agents", "passages", "megabytes", "runs_at_once", "tokens_a_day", "used")
    readonly_fields = ("used",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Quota]":
        return super().get_queryset(request).select_related("user")

    @admin.display(description=_("used"))
    def used(self, quota: Quota) -> Any:
        if quota.user is None:
            return _("The list of people shows what each has used.")
        rows = ((share.name, f"{share.used:,}") for share in quotas.shares(quota.user))
        return format_html_join("", "<p>{}: {}</p>", rows)

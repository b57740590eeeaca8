"""What the admin's pages have in common: links between rows, and who may change what."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def link(row: Model) -> SafeString:
    """To the row's page here."""
    page = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(page, args=[row.pk]), row)


def links(rows: Any, otherwise: Any) -> Any:
    """To each row's page, or `otherwise` if there are none."""
    return format_html_join(", ", "{}", ((link(row),) for row in rows)) or otherwise


class ReadOnly:
    """For what only the engine writes."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class EngineOnly(ReadOnly):
    """For what also goes only with something else: its agent, or the person whose agent it is."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        meta = self.model._meta  # type: ignore[attr-defined]
        page = (request.resolver_match and request.resolver_match.url_name) or ""
        own_page = page.startswith(f"{meta.app_label}_{meta.model_name}_")
        return not own_page and request.user.has_perm(f"agents.delete_{meta.model_name}")


class Searched(EngineOnly, admin.ModelAdmin[Any]):
    """What there may be a hundred thousand of, with columns that only search needs."""

    show_full_result_count = False

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.model.SEARCH_COLUMNS

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        rows: Any = super().get_queryset(request)
        return rows.without_search_columns()  # type: ignore[no-any-return]

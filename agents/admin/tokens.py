"""Access tokens in the admin: looked at without what could be shown as one, and revoked."""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from agents import services
from agents.admin.bases import EngineOnly
from agents.models import Token

if TYPE_CHECKING:
    from django.db.models import QuerySet


@admin.register(Token)
class TokenAdmin(EngineOnly, admin.ModelAdmin[Token]):
    list_display = ("name", "owner", "ending", "created_at", "last_used_at", "revoked_at")
    list_filter = ("owner", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "hint")
    fields = ("name", "owner", "ending", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.display(description=_("ending"))
    def ending(self, token: Token) -> str:
        return f"…{token.hint}"

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: "QuerySet[Token]") -> None:
        tokens = list(queryset.filter(revoked_at=None))
        for token in tokens:
            services.token_revoke(token=token)
        count = len(tokens)
        text = ngettext("%(count)s token was revoked.", "%(count)s tokens were revoked.", count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """To read them is not enough."""
        return request.user.has_perm("agents.change_token")

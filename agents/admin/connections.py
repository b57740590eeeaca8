"""Connections to model servers: those for everybody are made here; a person's own can be looked at and removed."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Connection
from agents.services import ConnectionDraft

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

SHOWN = ("owner", "error", "looked_at", "asked_at", "offered", "tried")


class ConnectionForm(forms.ModelForm[Connection]):
    """The key and the headers are written, never shown."""

    key = forms.CharField(
        label=_("Key"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("It is stored encrypted, and not shown again. Leave it empty to keep what is stored."),
    )
    headers = forms.CharField(
        label=_("Headers, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
    )
    person: "User"  # who fills it in

    class Meta:
        model = Connection
        fields = ("name", "base_url", "timeout")

    def clean(self) -> dict[str, Any]:
        """Tries it, so that what the services say against it stands in the form."""
        cleaned: dict[str, Any] = self.cleaned_data
        if self.errors:
            return cleaned
        try:
            with transaction.atomic():
                self.carry_out()
                transaction.set_rollback(True)
        except InvalidInput as error:
            raise ValidationError(str(error)) from error
        return cleaned

    def carry_out(self) -> Connection:
        """Of a valid form: the connection, for everybody. Raises InvalidInput."""
        draft = ConnectionDraft(**self.cleaned_data, shared=True)
        if self.instance._state.adding:
            return services.connection_add(person=self.person, draft=draft)
        row = Connection.objects.get(pk=self.instance.pk)
        return services.connection_change(person=self.person, connection=row, draft=draft)


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin[Connection]):
    form = ConnectionForm
    list_display = ("name", "owner", "base_url", "error", "looked_at")
    list_filter = ("owner",)
    search_fields = ("name", "base_url", "owner__username")
    fields = ("name", "base_url", "key", "headers", "timeout", *SHOWN)
    readonly_fields = SHOWN
    actions = ("test",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.person = request.user
        return form

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> tuple[str, ...]:
        if obj and obj.owner_id:
            return ("name", "base_url", "timeout", *SHOWN)
        return self.fields if obj else self.fields[: -len(SHOWN)]

    def has_change_permission(self, request: HttpRequest, obj: Connection | None = None) -> bool:
        return (obj is None or obj.owner_id is None) and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        obj.pk = form.carry_out().pk

    def delete_model(self, request: HttpRequest, obj: Connection) -> None:
        """And have its agents use the configured model."""
        try:
            services.connection_remove(connection=obj)
        except InvalidInput as error:
            self.message_user(request, str(error), messages.ERROR)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Connection]") -> None:
        for connection in queryset:
            self.delete_model(request, connection)

    @admin.action(description=_("Test the chosen connections"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: "QuerySet[Connection]") -> None:
        for connection in queryset:
            services.connection_test(connection=connection)

"""Forms of texts with a limit: presets and blocks."""

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from agents import selectors, services
from agents.llm.types import SEND_MESSAGE
from agents.models import Agent, Block
from agents.models.block import DEFAULT_LIMIT
from agents.text.clean import typed


class CountedText(forms.Textarea):
    """With its length beside its limit, which `admin/agents/change_form.html` keeps true while somebody types.

    A text that is too long can be typed and pasted all the same: it is refused whole, not cut unseen.
    """

    limit = DEFAULT_LIMIT

    def __init__(self) -> None:
        super().__init__({"class": "vLargeTextField", "rows": 12, "cols": 100})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        own = {key: value for key, value in (attrs or {}).items() if key != "maxlength"}
        counted = _("%(used)s of %(limit)s characters")
        text = value or ""
        return format_html(
            '<div class="counted-text">{}'
            '<output class="counted{}" for="{}" data-limit="{}" data-words="{}" aria-live="off">{}</output></div>',
            super().render(name, value, own, renderer),
            " over" if len(text) > self.limit else "",
            own.get("id", ""),
            self.limit,
            counted,
            counted % {"used": f"{len(text):,}", "limit": f"{self.limit:,}"},
        )

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        return {key: value for key, value in super().build_attrs(base_attrs, extra_attrs).items() if key != "maxlength"}


class TypedText(forms.CharField):
    """Line ends as the database has them, so that both count the same characters."""

    widget = CountedText

    def to_python(self, value: Any) -> Any:
        return super().to_python(typed(value) if isinstance(value, str) else value)


class PresetForm(forms.ModelForm[Any]):
    """A persona or a human."""

    text = TypedText(max_length=DEFAULT_LIMIT)


class AgentForm(forms.ModelForm[Agent]):
    """With its functions by name, instead of the columns that say which are on, off and asked about."""

    functions = forms.MultipleChoiceField(label=_("functions"), widget=forms.CheckboxSelectMultiple)
    asked_about = forms.MultipleChoiceField(
        label=_("asks the person before"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cards = selectors.function_cards(self.instance)
        away = set(self.instance.attached_functions) - {card.name for card in cards}  # gone, and to be taken off
        self.fields["functions"].choices = [(name, name) for name in (*(c.name for c in cards), *sorted(away))]  # type: ignore[attr-defined]
        self.fields["asked_about"].choices = [(c.name, c.name) for c in cards if c.source]  # type: ignore[attr-defined]
        self.initial["functions"] = [card.name for card in cards if card.on] + sorted(away)
        self.initial["asked_about"] = [card.name for card in cards if card.asks]

    def clean_functions(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["functions"]
        if SEND_MESSAGE not in chosen:
            raise forms.ValidationError(_("Without %(function)s an agent cannot speak.") % {"function": SEND_MESSAGE})
        return chosen

    def choose(self) -> None:
        """Have the agent use what was chosen. What is new and asks by itself goes on asking."""
        agent, before = self.instance, set(self.instance.attached_functions)
        services.functions_choose(agent=agent, names=self.cleaned_data["functions"])
        for name in before & set(agent.attached_functions):
            services.function_ask_first(agent=agent, name=name, ask=name in self.cleaned_data["asked_about"])


class BlockForm(forms.ModelForm[Block]):
    """Carries the revision the page was opened with, so that a later edit is never overwritten."""

    value = TypedText(strip=False, required=False)
    from_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Block
        fields = ("owner", "label", "value", "limit", "description", "read_only")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["from_revision"] = self.instance.revision
        if "value" in self.fields:  # whoever may only look has no fields
            self.fields["value"].widget.limit = self.instance.limit

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        value, limit = data.get("value", ""), data.get("limit")
        if limit is not None and len(value) > limit:
            sizes = {"used": f"{len(value):,}", "limit": f"{limit:,}"}
            self.add_error("value", _("This text has %(used)s characters; the block holds %(limit)s.") % sizes)
        current = Block.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
        if current and current.value != value and current.revision != data.get("from_revision"):
            self.add_error("value", _STALE % {"text": current.value})
            self.data = {**self.data.dict(), "from_revision": str(current.revision)}  # type: ignore[attr-defined]
        return data


_STALE = _(
    "The block was changed while you were editing. It now says: “%(text)s”. "
    "Your text is kept here; save again to put it in its place."
)

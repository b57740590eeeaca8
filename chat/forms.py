"""Forms: what a person types, checked before any service is called."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from agents import selectors
from agents.models import Block
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.block import DEFAULT_LIMIT
from agents.services import BlockSettings

NEW_HUMAN_HINT = _("What should the agent know about you from the start? It learns the rest.")


class BlockTextField(forms.CharField):
    """Text for a block, with line ends as the block keeps them, so that its limit counts the same here and there."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if value else value)


class AgentForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )
    persona = BlockTextField(
        label=_("Persona"),
        max_length=DEFAULT_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": False}),
        help_text=_("Who the agent is. It may change this itself."),
    )
    human = BlockTextField(
        label=_("Human"),
        max_length=DEFAULT_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": False}),
        help_text=NEW_HUMAN_HINT,
    )
    model = forms.CharField(
        label=_("Model"), max_length=120, required=False, help_text=_("Empty: the configured model.")
    )
    context_window = forms.IntegerField(
        label=_("Context window"),
        min_value=MIN_CONTEXT_WINDOW,
        max_value=2_000_000,
        required=False,
        help_text=_("In tokens. Empty: the model's own."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.personas = selectors.personas_for(user)
        self.humans = selectors.humans_for(user)
        self.fields["model"].widget.attrs["placeholder"] = selectors.model_name()
        if not self.is_bound:
            first_persona, first_human = self.personas.first(), self.humans.first()
            self.initial["persona"] = first_persona.text if first_persona else ""
            self.initial["human"] = first_human.text if first_human else ""


class BlockForm(forms.Form):
    """A core memory block: its text when it is made, and what surrounds it."""

    label = forms.CharField(
        label=_("Label"),
        max_length=40,
        help_text=_("What the agent calls it: one word, such as “project”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"), max_length=300, required=False, help_text=_("Tells the agent what belongs here.")
    )
    limit = forms.IntegerField(label=_("Limit in characters"), min_value=1, initial=DEFAULT_LIMIT)
    read_only = forms.BooleanField(
        label=_("Lock it"), required=False, help_text=_("The agent reads it and cannot change it; people can.")
    )
    value = BlockTextField(label=_("Text"), required=False, widget=forms.Textarea(attrs={"rows": 5}))

    def __init__(self, *args: Any, block: Block | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if block:
            del self.fields["value"]  # the text has a form of its own, which knows of other people's edits
            self.initial = {name: getattr(block, name) for name in self.fields}

    def settings(self) -> BlockSettings:
        """Of a valid form."""
        return BlockSettings(**{name: value for name, value in self.cleaned_data.items() if name != "value"})


class SignUpForm(UserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username",)

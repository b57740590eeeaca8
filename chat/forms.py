"""Forms: what a person types, checked before any service is called."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User

from agents import selectors
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.block import DEFAULT_LIMIT

NEW_HUMAN_HINT = "What should the agent know about you from the start? It learns the rest."


class BlockTextField(forms.CharField):
    """Text for a block, with line ends as the block keeps them, so that its limit counts the same here and there."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if value else value)


class AgentForm(forms.Form):
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))
    persona = BlockTextField(
        max_length=DEFAULT_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": False}),
        help_text="Who the agent is. It may change this itself.",
    )
    human = BlockTextField(
        max_length=DEFAULT_LIMIT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": False}),
        help_text=NEW_HUMAN_HINT,
    )
    model = forms.CharField(max_length=120, required=False, help_text="Empty: the configured model.")
    context_window = forms.IntegerField(
        min_value=MIN_CONTEXT_WINDOW,
        max_value=2_000_000,
        required=False,
        help_text="In tokens. Empty: the model's own.",
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


class SignUpForm(UserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username",)

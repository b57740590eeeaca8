"""Forms: what a person types, checked before any service is called."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from agents import selectors
from agents.exceptions import InvalidInput
from agents.llm.gateway import config_of
from agents.models import Agent, Block, Connection
from agents.models.agent import MIN_CONTEXT_WINDOW
from agents.models.block import DEFAULT_LIMIT
from agents.selectors.connections import handle
from agents.services import LONGEST_CONNECTION_NAME, LONGEST_MODEL, AgentDraft, BlockSettings, ModelChoice, model_named

NEW_HUMAN_HINT = _("What should the agent know about you from the start? It learns the rest.")


class BlockTextField(forms.CharField):
    """Text for a block, with line ends as the block keeps them, so that its limit counts the same here and there."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\r\n", "\n") if value else value)


def _window_field(help_text: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Context window"),
        min_value=MIN_CONTEXT_WINDOW,
        max_value=2_000_000,
        required=False,
        help_text=help_text,
    )


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
        label=_("Model"),
        max_length=LONGEST_CONNECTION_NAME + 1 + LONGEST_MODEL,
        required=False,
        widget=forms.TextInput(attrs={"list": "model-names", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Empty: this installation's model. Of a connection: its name, a slash, and the model."),
    )
    context_window = _window_field(_("In tokens. Empty: the model's own."))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.personas = selectors.personas_for(user)
        self.humans = selectors.humans_for(user)
        self.user = user
        self.fields["model"].widget.attrs["placeholder"] = selectors.default_model().name
        if not self.is_bound:
            first_persona, first_human = self.personas.first(), self.humans.first()
            self.initial["persona"] = first_persona.text if first_persona else ""
            self.initial["human"] = first_human.text if first_human else ""

    def draft(self) -> AgentDraft:
        """Of a valid form."""
        connection, model = model_named(self.user, self.cleaned_data["model"])
        return AgentDraft(**{**self.cleaned_data, "connection": connection, "model": model})

    def model_names(self) -> list[str]:
        """As they are written in the field."""
        return selectors.model_handles(self.user)


class AgentModelForm(forms.Form):
    """Which model an agent asks, and how. `chosen`, which no field checks, is a connection's key, a colon and the
    model; without a key it is the configured endpoint's."""

    function_mode = forms.ChoiceField(
        label=_("How it calls functions"),
        required=False,
        choices=[
            (Agent.FunctionMode.AUTO, _("as the test found")),
            (Agent.FunctionMode.TOOLS, _("by tools")),
            (Agent.FunctionMode.JSON_SCHEMA, _("by JSON schema")),
        ],
    )
    context_window = _window_field(_("In tokens. Every message costs all that stands in it."))
    reply_tokens = forms.IntegerField(
        label=_("Most tokens of a reply"), min_value=64, max_value=1_000_000, required=False
    )
    temperature = forms.FloatField(
        label=_("Temperature"),
        min_value=0,
        max_value=2,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text=_("From 0, always the likeliest word, to 2. Empty: the server's own."),
    )
    reasoning_effort = forms.ChoiceField(
        label=_("Reasoning effort"),
        required=False,
        choices=[("", _("the server's own")), *((word, word) for word in ("none", "minimal", "low", "medium", "high"))],
    )
    summary = forms.CharField(
        label=_("Model for summaries"),
        max_length=LONGEST_CONNECTION_NAME + 1 + LONGEST_MODEL,
        required=False,
        widget=forms.TextInput(attrs={"list": "model-names", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("A cheaper one will do. Empty: the agent's own model."),
    )

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.agent = agent
        self.now = config_of(agent)
        self.fields["context_window"].widget.attrs["placeholder"] = f"{self.now.context_window:,}"
        self.fields["reply_tokens"].widget.attrs["placeholder"] = f"{self.now.reply_reserve:,}"
        if not self.is_bound:
            own = ("function_mode", "context_window", "reply_tokens", "temperature", "reasoning_effort")
            self.initial = {name: getattr(agent, name) for name in own}
            self.initial["summary"] = handle(agent.summary_connection, agent.summary_model)

    def model_names(self) -> list[str]:
        """As they are written in the field of the summaries' model."""
        return selectors.model_handles(self.agent.owner)

    def chosen(self) -> tuple[Connection | None, str]:
        """What is marked, or what the agent has. Raises InvalidInput for a connection that is not there."""
        key, colon, model = self.data.get("chosen", "").partition(":")
        if not colon:
            return self.agent.connection, self.agent.model
        if not key:
            return None, model
        rows = selectors.connections_of(self.agent.owner)
        row = rows.filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
        if row is None:
            raise InvalidInput(_("This connection is not there any more. Choose another model."))
        return row, model

    def choice(self) -> ModelChoice:
        """Of a valid form. Raises InvalidInput."""
        connection, model = self.chosen()
        summary_connection, summary_model = model_named(self.agent.owner, self.cleaned_data["summary"].strip())
        own = {name: value for name, value in self.cleaned_data.items() if name != "summary"}
        own["function_mode"] = own["function_mode"] or Agent.FunctionMode.AUTO
        return ModelChoice(
            connection=connection,
            model=model,
            summary_connection=summary_connection,
            summary_model=summary_model,
            **own,
        )


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

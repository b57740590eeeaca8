"""What goes over the websocket: JSON for what happens per token, server-rendered HTML for what is committed.

Frames that start with `{` are read by `conversation.js`; frames that start with `<` are swapped in out of band by htmx.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from agents import selectors
from agents.broadcast.draft import draft_read
from agents.llm.types import Section
from agents.models import Agent, Message
from agents.queue_manager import Marks
from chat import drawing, timeline


def rows_after(agent: Agent, seq: int) -> tuple[str, int]:
    """What was added to the timeline after `seq`, and the last seq there is. Several queries."""
    missed = selectors.timeline_after(agent, seq)
    if not missed.messages:
        return "", seq
    if not missed.complete:
        return as_json("reload"), missed.last_seq
    context = {"agent": agent, "rows": timeline.rows(missed.messages), "last_seq": missed.last_seq, "fresh": True}
    html = render_to_string("chat/_appended.html", context)
    return html + "".join(edited(agent, pk) for pk in _answered_late(agent, missed.messages)), missed.last_seq


def _answered_late(agent: Agent, messages: Sequence[Message]) -> list[int]:
    """Rows that were drawn before these results of their calls came. No query where there are none."""
    steps = {message.step_id for message in messages if message.kind == Message.Kind.FUNCTION_RESULT}
    steps -= {message.step_id for message in messages if message.kind == Message.Kind.ASSISTANT}
    rows = agent.messages.filter(kind=Message.Kind.ASSISTANT, step__in=steps, retracted_at=None)
    return list(rows.order_by("seq").values_list("pk", flat=True)) if steps else []


def edited(agent: Agent, message: int) -> str:
    """A row of the timeline as it reads now. Empty if it was taken back meanwhile."""
    row = selectors.timeline_message(agent, message)
    if row is None:
        return ""
    context = {"agent": agent, "row": timeline.rows([row])[0], "oob": True}
    return render_to_string("chat/rows/_assistant.html", context)


def waiting(agent: Agent) -> str:
    """The messages that wait for their run, always the whole list."""
    return render_to_string("chat/_waiting.html", {"agent": agent, "waiting": selectors.waiting(agent), "oob": True})


def asked(agent: Agent) -> str:
    """The calls that wait for the person's yes, always the whole list."""
    return render_to_string("chat/_asked.html", {"agent": agent, "asked": selectors.calls_asked(agent), "oob": True})


def status(agent: Agent) -> str:
    """Whether a run is going on, and which. The end of one is told as `running` false with its id."""
    run = selectors.running(agent)
    return as_json("status", running=run is not None, run=run.pk if run else None)


def draft(agent: Agent) -> str:
    """The whole of what the model is writing now, for a page that opened in the middle or noticed a gap."""
    return as_json("draft", draft=draft_read(agent.pk))


def gauge(figures: dict[str, Any]) -> str:
    """The slim gauge, from the figures that an event carries. No query."""
    sections = tuple(Section(name, "", tokens) for name, tokens in figures["sections"])
    limits = Marks(figures["window"], figures["warning"], figures["flush"])
    drawn = drawing.gauge(selectors.Gauge(sections, limits, figures["used"]))
    segments = [{"name": one.name, "start": one.start, "share": one.share} for one in drawn.segments]
    label = _("%(percent)s %% of %(window)s tokens") % {"percent": drawn.percent, "window": intcomma(limits.window)}
    return as_json("gauge", segments=segments, label=label)


def changed(*what: str) -> str:
    """Parts of the page that should ask for their new state."""
    return as_json("changed", what=what)


def as_json(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields})

"""A conversation as a file: Markdown to be read, JSON to be worked with."""

import json
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from agents import selectors
from agents.main_context import working_context
from agents.models import Agent, Message
from chat.access import agent_for

Kind = Message.Kind


@require_GET
def export(request: HttpRequest, agent_id: UUID, form: str) -> HttpResponse:
    agent = agent_for(request, agent_id)
    if form not in ("md", "json"):
        raise Http404
    text = _markdown(agent) if form == "md" else _json(agent)
    media_type = "text/markdown" if form == "md" else "application/json"
    answer = HttpResponse(text, content_type=f"{media_type}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{slugify(agent.name) or "conversation"}.{form}"'
    return answer


def _markdown(agent: Agent) -> str:
    parts = [f"# {agent.name}"]
    for message in selectors.timeline_whole(agent):
        if message.kind in (Kind.USER_MESSAGE, Kind.ASSISTANT) and message.content:
            who = agent.owner.get_username() if message.kind == Kind.USER_MESSAGE else agent.name
            parts.append(f"**{who}**, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{message.content}")
    return "\n\n".join(parts) + "\n"


def _json(agent: Agent) -> str:
    """Everything the timeline holds, with core memory as it is now. Times are UTC."""
    blocks = working_context.blocks_of(agent)
    whole = {
        "agent": agent.name,
        "system_instructions": agent.system_instructions,
        "core_memory": [
            {"label": b.label, "value": b.value, "limit": b.limit, "description": b.description} for b in blocks
        ],
        "messages": [
            {
                "seq": message.seq,
                "kind": message.kind,
                "time": message.created_at.isoformat(),
                "content": message.content,
                "inner_monologue": message.inner_monologue,
                "calls": message.calls,
                "function": message.function,
                "failed": message.failed,
            }
            for message in selectors.timeline_whole(agent)
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2)

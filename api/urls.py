"""The addresses of all doors for programs."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from api import errors
from api.access import Bearer
from api.asked import JsonParser
from api.documentation import Doors, OpenAIDoors, page
from api.letta import agents, blocks, folders, installation, messages, passages, runs, tools
from api.mcp.door import door
from api.openai import chat, responses
from api.own import approvals, commands, copies, events, searches
from memweb import __version__

ABOUT = """
Agents that manage their own memory, as programs reach them. Most of it is the REST API of Letta, so that `letta-client`
works as it is; what is tagged "memweb" is memweb's own. An access token comes from the page's account menu or from
`memweb token create`.
"""

ABOUT_OPENAI = """
For programs that speak with OpenAI: an agent is a model, called by its name or id. Its memory is its own: of a request
only the last message of the user reaches it. Earlier messages, system messages and sampling options change nothing.
"""

v1 = Doors(
    title="memweb",
    version=__version__,
    description=ABOUT,
    urls_namespace="v1",
    auth=Bearer(),
    docs_url=None,
    parser=JsonParser(),
)
errors.register(v1)
openai = OpenAIDoors(
    title="memweb's agents as models",
    version=__version__,
    description=ABOUT_OPENAI,
    urls_namespace="openai",
    auth=Bearer(),
    docs_url=None,
    parser=JsonParser(),
)
errors.register(openai)
for router in (chat.router, responses.router):
    openai.add_router("", router)
for module in (
    installation,
    agents,
    messages,
    blocks,
    passages,
    folders,
    tools,
    runs,
    commands,
    copies,
    events,
    approvals,
    searches,
):
    v1.add_router("", module.router)


def _doors(api: NinjaAPI) -> tuple[list[URLPattern | URLResolver], str, str]:
    """For whoever comes by the pages' middleware: a session opens none of these doors, and none asks for a login."""
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = login_not_required(pattern.callback)
            if pattern.name == "openapi-json":
                pattern.callback = require_safe(pattern.callback)
    return patterns, app, namespace


urlpatterns = [
    path("v1/docs", page(v1, openai), name="api_documentation"),
    path("v1/", _doors(v1)),
    path("openai/v1/", _doors(openai)),
    path("mcp", door),
]

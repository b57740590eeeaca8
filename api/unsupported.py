"""What Letta's server does and memweb does not: such an address answers 501 with a sentence that names it."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from api.errors import NotSupported

t = gettext_lazy

CODE = t("Functions are installed by the operator of memweb, not sent.")
ONE = t("An agent has one conversation: use its messages.")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Methods, the address after /v1, what it is, and what to do instead.
REFUSED = (
    ("POST PUT", r"tools", t("functions sent as source code"), CODE),
    ("PATCH DELETE", r"tools/[^/]+", t("changing a function"), CODE),
    ("POST", r"tools/search", t("searching functions by meaning"), ""),
    ("*", r"agents/[^/]+/tools/[^/]+/run", t("running a function without the agent"), ""),
    ("*", r"agents/[^/]+/tools/approval/[^/]+", t("approval of function calls"), ""),
    ("*", r"agents/[^/]+/schedule(/.*)?", t("scheduled messages"), ""),
    ("*", r"agents/[^/]+/identities/.*|identities(/.*)?", t("identities"), ""),
    ("*", r"agents/[^/]+/files/.*", t("opening and closing files"), t("The agent searches all of its files.")),
    ("*", r"agents/[^/]+/recompile", t("recompiling a prompt"), t("It is compiled anew for each step.")),
    ("*", r"templates(/.*)?", t("templates"), ""),
    ("*", r"environments(/.*)?", t("environments"), ""),
    ("*", r"client-side-access-tokens(/.*)?", t("tokens made by programs"), t("The page's account menu makes one.")),
    ("*", r"mcp-servers/.*", t("MCP servers"), ""),
    ("POST", r"mcp-servers", t("MCP servers"), ""),
    ("GET", r"conversations", t("more than one conversation with an agent"), ONE),
    ("PATCH DELETE", r"conversations/[^/]+", t("more than one conversation with an agent"), ONE),
    ("*", r"conversations/[^/]+/.+", t("more than one conversation with an agent"), ONE),
    ("GET", r"messages(/message-[^/]+)?", t("messages of all agents at once"), t("List those of an agent, or search.")),
    ("*", r"runs/[^/]+/(trace|stream)", t("traces and streams of past runs"), ""),
    ("*", r"steps/[^/]+/(trace|feedback|metrics)", t("traces, metrics and feedback of steps"), ""),
    ("*", r"(groups|jobs|sources|providers|sandbox-config|batches|embeddings|voice-beta|telemetry)(/.*)?", "", ""),
)


def refuse(method: str, path: str) -> None:
    """Raises NotSupported for an address of Letta's server that memweb has not."""
    rest = path.removeprefix("/v1/").rstrip("/")
    if rest == path.rstrip("/"):
        return
    for methods, pattern, what, instead in REFUSED:
        if method in (METHODS if methods == "*" else methods.split()) and re.fullmatch(pattern, rest):
            raise NotSupported(str(what) or _("the address /v1/%(path)s") % {"path": rest[:80]}, str(instead))

"""Who may see what: for somebody else's as for what is not there, the same answer. Whose what is: `agents.access`."""

from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model
from django.http import HttpRequest
from ninja.security import HttpBearer

from agents.access import owned_by
from agents.models import Agent, Archive, Token
from api.errors import TooMany, Unknown
from api.ids import key_of, uuid_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=Model)


class Bearer(HttpBearer):
    """`Authorization: Bearer TOKEN`. The middleware has looked the token up: `request.program`."""

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        """None, and so 401, for a token that opens nothing. Raises TooMany."""
        program: Token | TooMany | None = getattr(request, "program", None)
        if isinstance(program, TooMany):
            raise program
        return program


def person(request: HttpRequest) -> "User":
    """Whose program it is."""
    token: Token = request.auth  # type: ignore[attr-defined]
    owner: User = token.owner
    return owner


def agent_for(request: HttpRequest, agent_id: str) -> Agent:
    """An agent of the person's own, with its summary and archive. One query. Raises Unknown."""
    rows = owned_by(Agent, person(request)).select_related("summary", "archive")
    key = uuid_of(agent_id)
    agent = rows.filter(pk=key).first() if key else None
    if agent is None:
        raise Unknown("agent", agent_id)
    return agent


def conversation_for(request: HttpRequest, conversation_id: str) -> Agent:
    """The agent whose one conversation has that id. Raises Unknown."""
    key = uuid_of(conversation_id, "conversation") if conversation_id.startswith("conversation-") else None
    agent = owned_by(Agent, person(request)).filter(pk=key).first() if key else None
    if agent is None:
        raise Unknown("conversation", conversation_id)
    return agent


def row_for(request: HttpRequest, model: "type[M]", kind: str, row_id: str) -> M:
    """A row that is the person's own, or belongs to what is. Raises Unknown."""
    key = key_of(kind, row_id)
    row = owned_by(model, person(request)).filter(pk=key).first() if key is not None else None
    if row is None:
        raise Unknown(kind, row_id)
    return row


def archive_for(request: HttpRequest, archive_id: str) -> Archive:
    """By its id as an archive, a folder or a source: they are one thing. Raises Unknown."""
    kind = archive_id.partition("-")[0]
    return row_for(request, Archive, kind if kind in ("archive", "folder", "source") else "archive", archive_id)

"""Access tokens: made, recognised, revoked."""

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.models import Token
from agents.text.clean import typed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PREFIX = "memweb-"
LONGEST_TOKEN_NAME = 80  # characters
THIS_MACHINE = "this machine"  # whose token `memweb up` keeps for programs beside it
SEEN = timedelta(minutes=1)  # within which a use is not noted again


def token_create(*, owner: "User", name: str) -> tuple[Token, str]:
    """A new token and its text, which cannot be read again. Raises InvalidInput."""
    name = " ".join(typed(name).split())
    if not name:
        raise InvalidInput(_("Give the token a name: what will use it?"))
    if len(name) > LONGEST_TOKEN_NAME:
        raise InvalidInput(_("A name has at most %(most)d characters.") % {"most": LONGEST_TOKEN_NAME})
    if name == THIS_MACHINE:
        raise InvalidInput(
            _("“%(name)s” is what memweb calls a token of its own. Choose another name.") % {"name": name}
        )
    return _create(owner, name)


def token_of_this_machine(*, owner: "User", known: str) -> str:
    """The text of the token for programs beside the server: `known` while that is good, else a new one in its place."""
    tokens = Token.objects.filter(owner=owner, name=THIS_MACHINE)
    if tokens.filter(sha256=_sha256(known), revoked_at=None).exists():
        return known
    with transaction.atomic():
        tokens.delete()  # one for each start would fill the list
        return _create(owner, THIS_MACHINE)[1]


def token_use(*, text: str) -> Token | None:
    """The token of that text, its owner loaded; None if there is none, it was revoked, or its owner may not come in.

    One query; once a minute two, to note the use.
    """
    tokens = Token.objects.select_related("owner").filter(revoked_at=None, owner__is_active=True)
    token = tokens.filter(sha256=_sha256(text)).first()
    now = timezone.now()
    if token and (token.last_used_at is None or now - token.last_used_at > SEEN):
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def token_revoke(*, token: Token) -> None:
    """It opens nothing from now on."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def _create(owner: "User", name: str) -> tuple[Token, str]:
    text = PREFIX + secrets.token_urlsafe(32)
    return Token.objects.create(owner=owner, name=name, sha256=_sha256(text), hint=text[-4:]), text


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

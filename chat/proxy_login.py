"""Coming in by a proxy that has asked who it is, such as one for OpenID Connect, and names the person in a header.

The header counts from MEMWEB_TRUSTED_PROXIES alone. Who comes by another way meets the ordinary login.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.auth.models import User
from django.core.exceptions import MiddlewareNotUsed, ValidationError
from django.http import HttpRequest

from chat.address import comes_from_trusted_proxy


class ProxyLoginMiddleware(RemoteUserMiddleware):
    """Django's own, for requests of trusted proxies. A header that is gone, or names another, ends the session."""

    async_capable = False  # type: ignore[assignment]

    def __init__(self, get_response: Any) -> None:
        if not settings.PROXY_USER_HEADER:
            raise MiddlewareNotUsed
        self.header = "HTTP_" + settings.PROXY_USER_HEADER.upper().replace("-", "_")  # type: ignore[misc]
        super().__init__(get_response)

    def process_request(self, request: HttpRequest) -> None:
        if comes_from_trusted_proxy(request):
            super().process_request(request)


class ProxyBackend(RemoteUserBackend):
    """Makes an account at first sight where sign-up is open; a name that could not be signed up with is nobody's."""

    @property
    def create_unknown_user(self) -> bool:  # type: ignore[override]
        return bool(settings.SIGNUP_OPEN)

    def authenticate(self, request: Any, remote_user: Any) -> Any:  # type: ignore[override]
        name = self.clean_username(remote_user)
        try:
            User._meta.get_field("username").run_validators(name)
        except ValidationError:
            return None
        return super().authenticate(request, remote_user=name)

    def clean_username(self, username: str) -> str:
        return str(User.normalize_username(username.strip()))

    def configure_user(self, request: Any, user: Any, created: bool = True) -> Any:
        if created:
            user.set_unusable_password()
            user.save()
        return user

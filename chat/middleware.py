"""What a partial request is told when its session has ended, what is told to somebody who must wait, when a person was
last seen, and the time zone in which they are answered."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_htmx.http import HttpResponseClientRedirect

from agents import faults, services
from agents.models import Preferences
from agents.person import zone_names, zone_or_default
from chat.passwords import PATIENCE, TooBusy
from chat.sessions import session_seen
from chat.throttle import MustWait

GetResponse = Callable[[HttpRequest], HttpResponse]


class PartialLoginMiddleware:
    """Takes the whole page to the login form; htmx would follow the redirect and put the form into a pane."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        login = resolve_url(settings.LOGIN_URL)
        if "HX-Request" in request.headers and response.headers.get("Location", "").startswith(login):
            return HttpResponseClientRedirect(login)
        return response


class WaitMiddleware:
    """The page of somebody who tried too often, or while too many others did."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, MustWait):
            return _told_to_wait(request, _wait_in_words(exception.seconds), exception.seconds, 429)
        if isinstance(exception, TooBusy):
            text = _("Too many people are logging in at this moment. Try again in a few seconds.")
            return _told_to_wait(request, text, int(PATIENCE), 503)
        return None


def _told_to_wait(request: HttpRequest, text: str, seconds: int, status: int) -> HttpResponse:
    answer = render(request, "registration/wait.html", {"text": text}, status=status)
    answer["Retry-After"] = str(seconds)
    return answer


def _wait_in_words(seconds: int) -> str:
    if seconds < 120:
        text = ngettext(
            "That was tried too often. Wait %(count)d second, then try again.",
            "That was tried too often. Wait %(count)d seconds, then try again.",
            seconds,
        )
        return text % {"count": seconds}
    minutes = -(-seconds // 60)
    text = ngettext(
        "That was tried too often. Wait %(count)d minute, then try again.",
        "That was tried too often. Wait %(count)d minutes, then try again.",
        minutes,
    )
    return text % {"count": minutes}


class SeenMiddleware:
    """Notes when and where a session was last seen."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            session_seen(request, request.user.pk)
        return self.get_response(request)


class TimeZoneMiddleware:
    """Answers in the zone that the person set, or else in the browser's, which `chrome.js` tells in a cookie.

    What the browser tells is kept for the workers, when the person does something: a page that is left open elsewhere
    asks for its panels too. One query while nothing changes.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        known = Preferences.objects.filter(user=request.user).first() or Preferences()
        told = request.COOKIES.get("zone", "")
        told = told if told in zone_names() else known.browser_zone
        in_person = request.method != "GET" or "HX-Request" not in request.headers
        if in_person and told != known.browser_zone:
            with faults.noted_if_possible():
                services.zone_told(person=request.user, zone=told)
        request.chosen_zone = known.chosen_zone  # type: ignore[attr-defined]
        with timezone.override(zone_or_default(known.chosen_zone or told)):
            return self.get_response(request)

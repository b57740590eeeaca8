"""What a partial request is told when its session has ended, and the time zone in which a person is answered."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect

from agents import faults, services
from agents.models import Preferences
from agents.person import zone_names, zone_or_default

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

"""Coming in: the printed one-time address, the login form, sign-up if it is open; and the person's time zone."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from agents import services
from agents.exceptions import InvalidInput
from agents.models import Preferences
from agents.person import zone_names
from chat.access import person
from chat.forms import SignUpForm
from chat.login_tokens import login_tokens
from chat.sessions import tell_of_change
from memweb.stack.env import COMMAND, env

LOGIN_COMMAND = f"{COMMAND} manage login_url"
ORIGIN = re.compile(r"https?://[a-zA-Z0-9.\[\]:-]{1,255}")


class Login(LoginView):
    """Ordinary Django login, with a way to sign up where that is open."""

    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "signup_open": settings.SIGNUP_OPEN,
            "login_command": LOGIN_COMMAND,
        }


class Logout(LogoutView):
    """Open pages of the same session end with it."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        person_id = request.user.pk
        answer = super().post(request, *args, **kwargs)
        if person_id:
            tell_of_change(person_id)
        return answer


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What is shown for a form that does not come from memweb's own page: with the line to set, if it may after all."""
    origin = request.headers.get("Origin", "")
    if reason != REASON_BAD_ORIGIN % origin or not ORIGIN.fullmatch(origin):
        return render(request, "403_csrf.html", status=403)
    setting = f"MEMWEB_ORIGINS={'…,' if env().origins else ''}{origin}"  # what else stands there is for nobody to see
    return render(request, "403_csrf.html", {"origin": origin, "setting": setting}, status=403)


BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@require_safe
def enter(request: HttpRequest, user_id: int, token: str) -> HttpResponse:
    """Log in with a one-time token. Logging in changes what the token was made from, so it works once."""
    if request.method == "HEAD":  # a look at the address, as a messenger has before a person: it must not use it up
        return HttpResponse()
    if request.user.is_authenticated:
        return redirect("home")
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or not login_tokens.check_token(user, token):
        return render(request, "registration/token_used.html", {"login_command": LOGIN_COMMAND}, status=403)
    login(request, user, backend=BACKEND)
    return redirect("home")


@login_not_required
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    if not settings.SIGNUP_OPEN:
        raise Http404
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save(), backend=BACKEND)
        return redirect("home")
    return render(request, "registration/sign_up.html", {"form": form})


@require_http_methods(["GET", "POST"])
def time_zone(request: HttpRequest) -> HttpResponse:
    """The person says where they are; left empty, the browser does."""
    known = Preferences.objects.filter(user=person(request)).first() or Preferences()
    context = {"zone": known.chosen_zone, "browser_zone": known.browser_zone, "zones": sorted(zone_names())}
    if request.method == "GET":
        return render(request, "chat/_time_zone.html", context)
    zone = request.POST.get("zone", "")
    try:
        services.zone_set(person=person(request), zone=zone)
    except InvalidInput as error:
        return render(request, "chat/_time_zone.html", {**context, "zone": zone[:64], "error": str(error)})
    return HttpResponseClientRefresh()

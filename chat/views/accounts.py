"""Coming in: the printed one-time address, the login form, sign-up if it is open; and the person's time zone."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.models import Preferences
from agents.person import zone_names
from chat.access import person
from chat.forms import SignUpForm
from chat.login_tokens import login_tokens
from chat.second_step import awaited, second_step_begin, second_step_end
from chat.sessions import tell_of_change
from chat.throttle import Attempt, admit
from memweb.stack.env import COMMAND, env

BACKEND = "django.contrib.auth.backends.ModelBackend"
LOGIN_COMMAND = f"{COMMAND} manage login_url"
ORIGIN = re.compile(r"https?://[a-zA-Z0-9.\[\]:-]{1,255}")


class Login(LoginView):
    """Ordinary Django login, with a way to sign up where that is open. The admin sends people here too."""

    redirect_authenticated_user = True
    attempt: Attempt | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raises MustWait. What cannot be right costs no try."""
        name = request.POST.get("username", "")
        if name and request.POST.get("password"):
            self.attempt = admit(request, "password", name)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        if self.attempt:
            self.attempt.succeeded()
        if selectors.has_two_factor(form.get_user()):
            second_step_begin(self.request, form.get_user(), self.get_success_url())
            return redirect("login_code")
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "signup_open": settings.SIGNUP_OPEN,
            "login_command": LOGIN_COMMAND,
            "ended": "ended" in self.request.GET,  # an open page says so of its session
        }


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """The second step, for whoever gave the right password just now. Raises MustWait."""
    waiting = awaited(request)
    if waiting is None:
        return redirect("login")
    (user, wanted), error = waiting, ""
    if request.method == "POST":
        attempt = admit(request, "code", user.get_username())
        if services.two_factor_check(owner=user, code=request.POST.get("code", "")):
            attempt.succeeded()
            second_step_end(request)
            login(request, user, backend=BACKEND)
            return redirect(wanted)
        error = _("That code is not good, or was used already.")
    return render(request, "registration/code.html", {"error": error, "login_command": LOGIN_COMMAND})


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
        admit(request, "enter")  # only what is wrong counts: a good token opens whoever knocked before
        return render(request, "registration/token_used.html", {"login_command": LOGIN_COMMAND}, status=403)
    login(request, user, backend=BACKEND)
    return redirect("home")


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin's people come in by the same door as everybody; one who is in and may not see it is told so."""
    if request.user.is_authenticated and not (request.user.is_active and request.user.is_staff):
        raise Http404
    wanted = request.GET.get("next") or reverse("admin:index")
    return redirect_to_login(wanted)


@login_not_required
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    if not settings.SIGNUP_OPEN:
        raise Http404
    if request.method == "POST":
        admit(request, "sign_up")  # one that goes well counts too
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

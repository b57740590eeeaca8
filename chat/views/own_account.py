"""A person's account: the password, the second step of the login, where they are logged in, what they use."""

from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from agents import quotas, selectors, services
from agents.exceptions import InvalidInput
from agents.models import OpenSession
from chat.access import part_for, person
from chat.devices import described
from chat.sessions import other_sessions_end, session_end, session_note, sessions_of
from chat.throttle import admit


@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


@never_cache
@require_POST
def account_password(request: HttpRequest) -> HttpResponse:
    """Change the password, and log out everywhere else. Raises MustWait, as the login does."""
    owner = person(request)
    form = _password_form(request, request.POST)
    attempt = admit(request, "password", owner.get_username()) if request.POST.get("old_password") else None
    good = form.is_valid()
    if attempt and "old_password" not in form.errors:
        attempt.succeeded()
    if not good:
        return _page(request, password_form=form)
    with transaction.atomic():  # open pages hear of it when all is done
        form.save()
        update_session_auth_hash(request, form.user)
        session_note(request, owner.pk)
        other_sessions_end(request)
    messages.success(request, _("The password was changed, and you are logged out everywhere else."))
    return redirect("account")


@never_cache
@require_POST
def two_factor_new(request: HttpRequest) -> HttpResponse:
    """The page with a new key to put into the app; this answer alone holds it."""
    try:
        return _page(request, **_key(services.two_factor_begin(owner=person(request))))
    except InvalidInput as error:
        return _page(request, two_factor_error=str(error))


@never_cache
@require_POST
def two_factor_confirm(request: HttpRequest) -> HttpResponse:
    owner = person(request)
    attempt = admit(request, "code", owner.get_username())
    try:
        codes = services.two_factor_confirm(owner=owner, code=request.POST.get("code", ""))
    except InvalidInput as error:
        device = TOTPDevice.objects.filter(user=owner, confirmed=False).first()
        return _page(request, two_factor_error=str(error), **(_key(device) if device else {}))
    attempt.succeeded()
    return _page(request, codes=codes)


@never_cache
@require_POST
def two_factor_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, which no other answer holds. Raises MustWait."""
    if not _is_proved(request):
        return _unproved(request)
    try:
        return _page(request, codes=services.two_factor_renew(owner=person(request)))
    except InvalidInput as error:
        return _page(request, two_factor_error=str(error))


@never_cache
@require_POST
def two_factor_off(request: HttpRequest) -> HttpResponse:
    """Raises MustWait."""
    if not _is_proved(request):
        return _unproved(request)
    services.two_factor_remove(owner=person(request))
    messages.success(request, _("From now on your password alone logs you in."))
    return redirect("account")


@require_POST
def account_session_end(request: HttpRequest, session_id: int) -> HttpResponse:
    session_end(session=part_for(request, OpenSession, session_id))
    return redirect("account")


@require_POST
def account_sessions_end(request: HttpRequest) -> HttpResponse:
    other_sessions_end(request)
    return redirect("account")


def _is_proved(request: HttpRequest) -> bool:
    """Whether who sits there is the person: a code or the password says so. Raises MustWait."""
    owner, proof = person(request), request.POST.get("proof", "")
    if not proof:
        return False
    attempt = admit(request, "code", owner.get_username())
    good = services.two_factor_check(owner=owner, code=proof) or owner.check_password(proof)
    if good:
        attempt.succeeded()
    return good


def _unproved(request: HttpRequest) -> HttpResponse:
    return _page(request, proof_error=_("That is neither your password nor a code that is good now."))


def _password_form(request: HttpRequest, data: Any = None) -> "SetPasswordForm[Any]":
    """The old one is asked for where there is one: who came by a printed address has none."""
    owner = person(request)
    kind = PasswordChangeForm if owner.has_usable_password() else SetPasswordForm
    form = kind(owner, data, auto_id="account-%s", label_suffix="")
    for field in form.fields.values():
        field.widget.attrs.pop("autofocus", None)
        field.help_text = ""
    return form


def _key(device: TOTPDevice) -> dict[str, Any]:
    address = device.config_url
    picture = segno.make(address, micro=False).svg_inline(scale=4, dark="#000", light="#fff")
    secret = address.partition("secret=")[2].partition("&")[0]
    return {"picture": mark_safe(picture), "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))}


def _page(request: HttpRequest, **more: Any) -> HttpResponse:
    owner = person(request)
    context = {
        "password_form": _password_form(request),
        "two_factor": selectors.has_two_factor(owner),
        "codes_left": selectors.recovery_codes_left(owner),
        "sessions": [(row, described(row.browser)) for row in sessions_of(owner)],
        "this_session": request.session.session_key,
        "shares": quotas.shares(owner),
        **more,
    }
    return render(request, "registration/account.html", context)

"""How this installation is: a page of the admin for whoever runs it."""

from collections.abc import Iterator

from django.contrib import admin
from django.contrib.auth.decorators import user_passes_test
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from agents import health
from agents.models import Document, Run
from agents.selectors import operation
from chat.drawing import Chart, Series, chart


@require_safe
@user_passes_test(lambda user: user.is_superuser, login_url="admin:login")
def last_day(request: HttpRequest) -> HttpResponse:
    """What memweb needs, what waits now, and pictures of the last 24 hours."""
    hours = operation.last_day()
    shown = {
        **admin.site.each_context(request),
        "title": _("How memweb is"),
        "checks": [(str(PARTS.get(check.name, check.name)), check.fault) for check in health.checks()],
        "waiting": list(_waiting()),
        "charts": _charts(hours),
        "reasons": operation.reasons_of_failure(),
    }
    return render(request, "admin/operation.html", shown)


PARTS = {
    "database": pgettext_lazy("a part of the installation", "database"),
    "migrations": pgettext_lazy("a part of the installation", "migrations"),
    "broker": pgettext_lazy("a part of the installation", "broker"),
    "workers": pgettext_lazy("a part of the installation", "workers"),
    "clock": pgettext_lazy("a part of the installation", "clock and reaper"),
    "disk": pgettext_lazy("a part of the installation", "disk"),
    "model": pgettext_lazy("a part of the installation", "model"),
    "embeddings": pgettext_lazy("a part of the installation", "embeddings"),
}
STATES = {**dict(Document.Status.choices), **dict(Run.Status.choices)}


def _waiting() -> Iterator[tuple[str, str]]:
    """What waits now, in words and figures."""
    names = {
        "memweb_agents": _("agents"),
        "memweb_runs_open": _("runs"),
        "memweb_run_queue_age_seconds": _("longest wait for a worker"),
        "memweb_documents_open": _("documents to be read"),
        "memweb_not_embedded": _("found by words alone, until embedded"),
    }
    kinds = {**STATES, "passages": _("passages"), "messages": _("messages")}
    for figure in operation.figures_now():
        unit = " s" if figure.name.endswith("_seconds") else ""
        values = [f"{kinds.get(kind, '')} {value:,.0f}{unit}".strip() for kind, value in figure.values.items()]
        yield names[figure.name], " · ".join(values)


def _charts(hours: list[operation.Hour]) -> list[Chart]:
    starts = [hour.start for hour in hours]
    usual, slow = [hour.usual for hour in hours], [hour.slow for hour in hours]
    return [
        chart(
            _("Runs"),
            starts,
            [
                Series(_("done"), [hour.done for hour in hours]),
                Series(_("stopped"), [hour.stopped for hour in hours]),
                Series(_("failed"), [hour.failed for hour in hours]),
            ],
        ),
        chart(
            _("Seconds that a step takes"),
            starts,
            [
                Series(_("half of them at most"), usual),
                Series(_("95 of 100 at most"), [most - half for half, most in zip(usual, slow, strict=True)], slow),
            ],
        ),
        chart(
            _("Seconds that a message waits for a worker"),
            starts,
            [Series(_("95 of 100 at most"), [hour.wait for hour in hours])],
        ),
        chart(
            _("Tokens"),
            starts,
            [
                Series(_("prompt"), [hour.prompt_tokens for hour in hours]),
                Series(_("completion"), [hour.completion_tokens for hour in hours]),
            ],
        ),
    ]

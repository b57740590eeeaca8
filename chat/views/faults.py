"""What is shown when a page could not be made: a sentence, where something around memweb failed."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from agents import faults


def failed(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`, called while the fault is handled. A part of a page gets plain text, shown as it is."""
    sentence = faults.sentence_of(sys.exc_info()[1])
    if not sentence:
        return server_error(request)
    if "HX-Request" in request.headers:
        return HttpResponse(sentence, status=503, content_type="text/plain; charset=utf-8")
    context = {"sentence": sentence, "address": request.get_full_path() if request.method == "GET" else "/"}
    return render(None, "503.html", context, status=503)  # no request: it could ask the database who it is

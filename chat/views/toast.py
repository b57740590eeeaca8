"""An answer that says something and changes nothing on the page by itself."""

from django.http import HttpResponse
from django_htmx.http import trigger_client_event


def toast(text: str, *, undo: str = "", answer: HttpResponse | None = None) -> HttpResponse:
    """Shown for some seconds by `chrome.js`; `undo` is an address that takes back what was done."""
    return trigger_client_event(answer or HttpResponse(status=204), "memweb:toast", {"text": text, "undo": undo})

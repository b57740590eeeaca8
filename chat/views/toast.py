"""An answer that changes nothing on the page but says something."""

from django.http import HttpResponse
from django_htmx.http import trigger_client_event


def toast(text: str) -> HttpResponse:
    """Shown for some seconds by `chrome.js`."""
    return trigger_client_event(HttpResponse(status=204), "memweb:toast", {"text": text})

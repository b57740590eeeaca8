"""What the doors say of themselves: OpenAPI, and the same as a page to read."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from api.once import METHODS

STREAM = {"text/event-stream": {"schema": {"type": "string"}}}
EITHER = ("message_create", "chat_create", "response_create")  # JSON, or a stream if that is asked for
REFUSALS = {
    400: _("The request cannot be read."),
    401: _("No token, or one that opens nothing."),
    404: _("There is no such thing, or it is somebody else's."),
    405: _("The address does not take this method."),
    409: _("As things are now it cannot be done: a taken name, an agent at work, an edit by somebody else."),
    413: _("The request is too large."),
    422: _("Something in it cannot be taken; `detail` says what."),
    424: _("The message was taken and its run failed. Do not send it again."),
    429: _("Too many requests with this token; `Retry-After` says when to go on."),
    501: _("memweb does not support that; `detail` names it."),
    503: _("The endpoint of the embeddings does not answer."),
}
KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string"},
    "description": "Your own, one for each request. What is sent again with the same key is not carried out again, and "
    "gets the same answer.",
}
CSP = "default-src 'none'; style-src 'self'; img-src 'self'"


class Doors(NinjaAPI):
    """With every error and every stream in its OpenAPI document."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The document."""
        schema = super().get_openapi_schema(**options)
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                _complete(operation)
                if method.upper() in METHODS:
                    operation["parameters"] = [*operation.get("parameters", ()), dict(KEY)]
        return schema


def _complete(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    done = answers.get(200)
    if done and done.get("content", {}).get("application/json", {}).get("schema", {}).get("type") == "string":
        done["content"] = dict(STREAM)
    elif done and operation["operationId"].endswith(EITHER):
        done["content"] |= STREAM
    detail = {"type": "object", "required": ["detail"], "properties": {"detail": {}}}
    for status, text in REFUSALS.items():
        answers.setdefault(status, {"description": str(text), "content": {"application/json": {"schema": detail}}})


def page(*apis: NinjaAPI) -> Any:
    """A view that shows what these doors offer."""

    @login_not_required
    @require_safe
    def documentation(request: HttpRequest) -> HttpResponse:
        schemas = [api.get_openapi_schema() for api in apis]
        answer = render(request, "api/documentation.html", {"apis": [_readable(schema) for schema in schemas]})
        answer["Content-Security-Policy"] = CSP
        return answer

    return documentation


def _readable(schema: dict[str, Any]) -> dict[str, Any]:
    parts: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            asked = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
            body = operation.get("requestBody", {}).get("content", {})
            fields = [field for kind in body.values() for field in _fields(schema, kind["schema"])]
            told = {"method": method.upper(), "path": path, "text": operation.get("description", "")}
            parts.setdefault(operation["tags"][0], []).append({**told, "asked": asked, "fields": fields})
    return {"title": schema["info"]["title"], "about": schema["info"]["description"], "parts": parts}


def _fields(schema: dict[str, Any], shape: dict[str, Any]) -> list[dict[str, Any]]:
    for choice in (shape, *shape.get("anyOf", ())):
        if reference := choice.get("$ref"):
            shape = schema["components"]["schemas"][reference.rpartition("/")[2]]
    required = shape.get("required", ())
    return [{"name": name, "required": name in required} for name in shape.get("properties", ())]

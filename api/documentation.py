"""What the doors say of themselves: OpenAPI, and the same as a page to read."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from api.once import METHODS

STREAM: dict[str, Any] = {"text/event-stream": {}}
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
CSP = (
    "base-uri 'none'; default-src 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; "
    "style-src 'self'"
)
SAMPLE = 'curl -H "Authorization: Bearer $TOKEN" {agents}'


class Doors(NinjaAPI):
    """With every error and every stream in its OpenAPI document."""

    refusal: ClassVar = {"type": "object", "required": ["detail"], "properties": {"detail": {}}}

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The document."""
        schema = super().get_openapi_schema(**options)
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                _complete(operation, self.refusal)
                if method.upper() in METHODS:
                    operation["parameters"] = [*operation.get("parameters", ()), dict(KEY)]
        return schema


class OpenAIDoors(Doors):
    """With errors in OpenAI's shape."""

    refusal: ClassVar = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "object", "required": ["message", "type", "param", "code"]}},
    }


def _complete(operation: dict[str, Any], refusal: dict[str, Any]) -> None:
    for form in operation.get("requestBody", {}).get("content", {}).values():
        if "properties" in form["schema"]:
            form["schema"]["additionalProperties"] = False
    answers = operation["responses"]
    done = answers.get(200)
    if done and done.get("content", {}).get("application/json", {}).get("schema", {}).get("type") == "string":
        done["content"] = dict(STREAM)
    elif done and operation["operationId"].endswith(EITHER):
        done["content"] |= STREAM
    for status, text in REFUSALS.items():
        answers.setdefault(status, {"description": str(text), "content": {"application/json": {"schema": refusal}}})


def page(*apis: NinjaAPI) -> Any:
    """A view that shows what these doors offer."""

    @login_not_required
    @require_safe
    def documentation(request: HttpRequest) -> HttpResponse:
        sample = SAMPLE.format(agents=request.build_absolute_uri("/v1/agents"))
        shown = {"apis": [_readable(api) for api in apis], "sample": sample}
        answer = render(request, "api/documentation.html", shown)
        answer["Content-Security-Policy"] = CSP
        return answer

    return documentation


def _readable(api: NinjaAPI) -> dict[str, Any]:
    schema = api.get_openapi_schema()
    parts: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            first, _dot, rest = operation.get("description", "").partition(". ")
            told = {"method": method.upper(), "path": path, "first": first.rstrip("."), "rest": rest}
            parts.setdefault(operation["tags"][0], []).append({**told, "parts": list(_parts(schema, operation))})
    info, key = schema["info"], api.urls_namespace
    document = reverse(f"{key}:openapi-json")
    return {
        "title": info["title"],
        "about": info["description"].replace("`", ""),
        "key": key,
        "document": document,
        "parts": parts,
    }


def _parts(schema: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What an operation takes besides what its path names, part by part."""
    asked = [given for given in operation.get("parameters", ()) if given["in"] == "query"]
    if asked:
        fields = [_field(given["name"], given["schema"], given.get("required", False)) for given in asked]
        yield {"title": _("In the address"), "fields": fields}
    for kind in operation.get("requestBody", {}).get("content", {}).values():
        shape = kind["schema"]
        for choice in (shape, *shape.get("anyOf", ())):
            shape = _named(schema, choice) or shape
        required = shape.get("required", ())
        fields = [_field(name, given, name in required) for name, given in shape.get("properties", {}).items()]
        if fields:
            yield {"title": _("In the body"), "fields": fields}


def _named(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    name = shape.get("$ref", "").rpartition("/")[2]
    return schema["components"]["schemas"][name] if name else {}


def _field(name: str, shape: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"name": name, "kind": " | ".join(dict.fromkeys(_kinds(shape))), "required": required}


def _kinds(shape: dict[str, Any]) -> Iterator[str]:
    """What a value may be, in JSON's words; its choices if it has some. That it may be left out as null is no news."""
    for choice in shape.get("anyOf", [shape]):
        if "const" in choice or "enum" in choice:
            yield from map(str, choice.get("enum", [choice.get("const")]))
        elif choice.get("type", "object") != "null":
            yield choice.get("type", "object")

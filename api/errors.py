"""Errors of the doors, and every error as an answer: one shape, `{"detail": "a sentence"}`.

DoorError
├── NoToken          401: no token, or one that opens nothing
├── Unknown          404: somebody else's, or not there
├── RunFailed        424: the message was taken, its run failed; not to be sent again
├── Conflict         409: as things are now it cannot be done
├── InHand           409: the same request is being carried out; to be sent again in a moment
├── NotSupported     501: memweb does not do that; the sentence names it
├── Unfit            422: what was sent cannot be taken
└── TooMany          429: the token's limit; `Retry-After` says when

Clients send again after 408, 409, 429 and every 5xx, so `x-should-retry: false` goes with those where that cannot help.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from agents import faults
from agents.exceptions import (
    BelongsToAgent,
    BlockOverLimit,
    InvalidInput,
    LLMError,
    NameTaken,
    QuotaReached,
    RollbackConflict,
    StaleEdit,
)
from agents.locks import TRANSIENT, renew_connections

t = gettext_lazy

logger = logging.getLogger(__name__)

KINDS = {
    "agent": t("agent"),
    "archive": t("archive"),
    "block": t("block"),
    "conversation": t("conversation"),
    "file": t("file"),
    "folder": t("folder"),
    "message": t("message"),
    "passage": t("passage"),
    "response": t("response"),
    "run": t("run"),
    "source": t("source"),
    "step": t("step"),
    "tool": t("tool"),
    "tool call": t("tool call"),
}
FINAL = (409, 501)  # sent again, they come to the same


class DoorError(Exception):
    """`str()` is a sentence for whoever wrote the program."""

    status = 400


class NoToken(DoorError):
    """Nobody knows who is there."""

    status = 401

    def __init__(self) -> None:
        super().__init__(_("Show an access token: Authorization: Bearer TOKEN. The page's account menu makes one."))


class Unknown(DoorError):
    """There is no such thing, or it is somebody else's."""

    status = 404

    def __init__(self, kind: str, wanted: str) -> None:
        super().__init__(
            _("There is no %(kind)s “%(wanted)s” of yours.") % {"kind": KINDS[kind], "wanted": wanted[:80]}
        )


class Conflict(DoorError):
    """As things are now it cannot be done."""

    status = 409


class InHand(DoorError):
    """The same request is being carried out. `seconds` until it may be sent again."""

    status = 409
    seconds = 1


class RunFailed(DoorError):
    """The message was taken and its run failed: `str()` says why. No status that clients send again after."""

    status = 424

    def as_openai(self) -> dict[str, Any]:
        """As a stream tells it."""
        return openai_error(self.status, str(self))


class NotSupported(DoorError):
    """memweb does not do that."""

    status = 501

    def __init__(self, what: str, instead: str = "") -> None:
        text = _("memweb does not support %(what)s.") % {"what": what}
        super().__init__(f"{text} {instead}".strip())


class Unfit(DoorError):
    """What was sent cannot be taken. `field` names it, `reason` is a sentence."""

    status = 422

    def __init__(self, field: str, reason: str, *, where: str = "body") -> None:
        super().__init__(reason)
        self.place = [where, *field.split(".")]


class TooMany(DoorError):
    """The token sent more than its limit. `seconds` until it may send again."""

    status = 429

    def __init__(self, most: int, seconds: int) -> None:
        text = _("Too many requests: at most %(most)s a minute with one token. Try again in %(seconds)d s.")
        super().__init__(text % {"most": f"{most:,}", "seconds": seconds})
        self.seconds = seconds


def refusal(status: int, detail: str | Sequence[dict[str, Any]], **headers: str) -> JsonResponse:
    """The answer of every error."""
    answer = JsonResponse({"detail": detail}, status=status, headers=headers, json_dumps_params={"ensure_ascii": False})
    if (status in FINAL or status >= 500) and "Retry-After" not in headers:
        answer["x-should-retry"] = "false"
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def as_openai(answer: HttpResponse) -> HttpResponse:
    """An error in OpenAI's shape, without which its client shows no reason. What cannot be taken is a 400 there."""
    detail = json.loads(answer.content)["detail"]
    if isinstance(detail, list):
        detail = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in detail)
    error = openai_error(answer.status_code, detail)
    if answer.status_code in (422, 501):
        answer.status_code = 400
    answer.content = json.dumps({"error": error}, ensure_ascii=False).encode()
    return answer


def openai_error(status: int, message: str) -> dict[str, Any]:
    """What stands under `error`."""
    codes = {401: "invalid_api_key", 404: "model_not_found", 424: "run_failed", 429: "rate_limit_exceeded"}
    kind = "invalid_request_error" if status < 500 or status == 501 else "server_error"
    return {"message": message, "type": kind, "param": None, "code": codes.get(status)}


def fault(place: Sequence[str | int], message: str, kind: str) -> dict[str, Any]:
    """One thing that is wrong with what was sent."""
    return {"loc": list(place), "msg": message, "type": kind}


def answer_of(error: Exception) -> JsonResponse:
    """Any error as an answer; one of ours is told to the log as well."""
    if isinstance(error, DoorError):
        return _of_a_door(error)
    if isinstance(error, ValidationError):
        return refusal(422, [_plain(item) for item in error.errors])
    if isinstance(error, HttpError):
        text = _("The request cannot be read: %(reason)s") % {"reason": str(error.__cause__ or error)[:200]}
        return refusal(error.status_code, text)
    if isinstance(error, InvalidInput):
        return _invalid(error)
    return _of_what_is_around(error)


def _of_a_door(error: DoorError) -> JsonResponse:
    if isinstance(error, Unfit):
        return refusal(422, [fault(error.place, str(error), "value_error")])
    if isinstance(error, TooMany | InHand):
        return refusal(error.status, str(error), **{"Retry-After": str(error.seconds)})
    return refusal(error.status, str(error))


def _of_what_is_around(error: Exception) -> JsonResponse:
    if isinstance(error, RequestDataTooBig):
        return refusal(413, _("The request is too large."))
    if isinstance(error, MultiPartParserError | SuspiciousOperation | UnreadablePostError):
        return refusal(400, _("The request cannot be read: %(reason)s") % {"reason": str(error)[:200]})
    if isinstance(error, LLMError):  # of the embeddings' endpoint: nothing was written
        return refusal(503, str(error))
    if isinstance(error, TRANSIENT):
        renew_connections()
    if sentence := faults.sentence_of(error):
        return refusal(503, sentence)
    logger.error("A request of a program failed.", exc_info=error)
    return refusal(500, _("memweb itself failed: %(error)s. The log says more.") % {"error": type(error).__name__})


def _invalid(error: InvalidInput) -> JsonResponse:
    if isinstance(error, QuotaReached):
        return refusal(403, str(error))
    if isinstance(error, NameTaken | BelongsToAgent | StaleEdit | RollbackConflict):
        return refusal(409, str(error))
    field = "value" if isinstance(error, BlockOverLimit) else "__root__"
    return refusal(422, [fault(["body", field], str(error), "value_error")])


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """A fault as pydantic tells it, without what cannot be written as JSON; ninja's names of parameters left out."""
    place = [part for part in item.get("loc", ()) if part not in ("payload", "asked")]
    return fault(place, str(item.get("msg", "")).removeprefix("Value error, "), str(item.get("type", "")))


def register(api: NinjaAPI) -> None:
    """Have every error of the doors answered so."""

    def handle(_request: HttpRequest, error: Any) -> HttpResponse:
        return answer_of(NoToken() if isinstance(error, AuthenticationError) else error)

    for kind in (AuthenticationError, DoorError, ValidationError, HttpError, Exception):
        api.add_exception_handler(kind, handle)

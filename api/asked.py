"""What programs send: bodies and queries, where anybody can write anything.

A field that nobody knows is a 422 that names it; one that Letta has and memweb has not, a 501 that names it, unless it
says no more than nothing. Texts come out as the database can hold them.
"""

import inspect
import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from ninja.files import UploadedFile
from ninja.parser import Parser
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agents.text.clean import encodable, encodable_json
from api.errors import NotSupported, Unfit

Kind = TypeVar("Kind")
Rows = TypeVar("Rows", bound=QuerySet[Any])

ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
MOST_LISTED = 1000  # rows of a page
LONGEST_NAME = 200  # characters, wherever a name is only looked for
LONGEST_TEXT = 200_000  # characters: no text of a request is longer
DEEPEST = 100  # levels of a body
MOST_NAMES = 30  # in a list of names or ids: an address holds no more


def _written(value: Any) -> Any:
    """A number is no time here, though pydantic reads one."""
    if isinstance(value, datetime) or (isinstance(value, str) and ISO_TIME.match(value)):
        return value
    raise ValueError("write the time as in ISO 8601: 2026-11-26T21:30:00Z")


def _in_utc(time: datetime) -> datetime:
    """A time without a zone is UTC. It must be a time in every zone."""
    try:
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        time = datetime.max.replace(tzinfo=UTC)
    if not FIRST <= time <= LAST:
        raise ValueError("outside of the years that there are")
    return time


Time = Annotated[datetime, BeforeValidator(_written), AfterValidator(_in_utc)]
Name = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(encodable)]
Query = Annotated[str, Field(max_length=1000), AfterValidator(encodable)]


class _Asked(BaseModel):
    # What Letta's own server takes here and memweb has not.
    NOT_SUPPORTED: ClassVar[frozenset[str]] = frozenset()
    NOT_SUPPORTED_VALUES: ClassVar[dict[str, frozenset[str]]] = {}

    @classmethod
    def refuse_unsupported(cls, name: str, value: Any) -> bool:
        """Whether `name` is such a field and says nothing. Raises NotSupported if it says something."""
        if isinstance(value, str) and value in cls.NOT_SUPPORTED_VALUES.get(name, ()):
            raise NotSupported(f"`{name}`: {value}")
        if name not in cls.NOT_SUPPORTED:
            return False
        if value not in (None, False, "", [], {}, "false", [""]):
            raise NotSupported(f"`{name}`")
        return True


class Body(_Asked):
    """A JSON object that a program sends."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        clean: dict[str, Any] = encodable_json(data)
        return {name: value for name, value in clean.items() if not cls.refuse_unsupported(name, value)}


class Asked(_Asked):
    """What an address asks for after its question mark."""

    @model_validator(mode="before")
    @classmethod
    def _only_supported(cls, data: Any) -> Any:
        for name in cls.NOT_SUPPORTED_VALUES:
            cls.refuse_unsupported(name, data.get(name))
        return data


class Listing(Asked):
    """A page of a list: `limit` rows after or before the row with that id, in the order that is asked for."""

    limit: int | None = Field(None, ge=1, le=MOST_LISTED)
    after: Name | None = None
    before: Name | None = None
    order: Literal["asc", "desc"] | None = None
    order_by: Literal["created_at"] | None = None


def between(rows: Rows, start: datetime | None, end: datetime | None) -> Rows:
    """Those of `rows` made from `start` to `end`."""
    if start:
        rows = rows.filter(created_at__gte=start)
    return rows.filter(created_at__lte=end) if end else rows


def only_known(door: Callable[..., Any]) -> Callable[..., Any]:
    """A door that refuses what its address or its form asks for and it does not know."""
    parameters = inspect.signature(door).parameters
    asked = next((kind for kind in (_kind(given, Asked) for given in parameters.values()) if kind), None)
    form = next((kind for kind in (_kind(given, Body) for given in parameters.values()) if kind), None)
    files = [name for name, given in parameters.items() if _kind(given, UploadedFile)]

    def check(request: HttpRequest) -> None:
        _refuse_unknown(request.GET, asked, "query")
        if not files:
            return
        _refuse_unknown(request.POST, form, "form")
        for name in request.FILES:
            if name not in files or len(request.FILES.getlist(name)) > 1:
                raise Unfit(encodable(name)[:80], _("One file is taken, as the field `file`."), where="form")

    if inspect.iscoroutinefunction(door):

        @wraps(door)
        async def checked_async(request: HttpRequest, **values: Any) -> Any:
            check(request)
            return await door(request, **values)

        return checked_async

    @wraps(door)
    def checked(request: HttpRequest, **values: Any) -> Any:
        check(request)
        return door(request, **values)

    return checked


def _refuse_unknown(given: QueryDict, known: type[_Asked] | None, where: str) -> None:
    """Also what is given twice and is no list."""
    for name in given:
        values = given.getlist(name)
        if known and name in known.model_fields:
            if len(values) > 1 and not _is_list(known.model_fields[name].annotation):
                raise Unfit(name, _("This is given more than once."), where=where)
        elif not (known and known.refuse_unsupported(name, values)):
            raise Unfit(encodable(name)[:80], _("There is no such parameter here."), where=where)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(choice) for choice in get_args(annotation))


def _kind(parameter: inspect.Parameter, base: type[Kind]) -> type[Kind] | None:
    """The class that a parameter is annotated with, if it is one of `base`."""
    kinds = [parameter.annotation, *get_args(parameter.annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, base)), None)


class JsonParser(Parser):
    """JSON as its standard has it: without NaN and infinity, which no database holds, and not deeper than programs can
    walk."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Raises ValueError, RecursionError: a 400."""
        data = json.loads(request.body, parse_constant=_no_number, parse_float=_finite)
        level, depth = [data], 0
        while level := [item for value in level if isinstance(value, dict | list) for item in _items(value)]:
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"more than {DEEPEST} levels of nesting")
        return data


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)

"""JSON, with comments and spare commas if need be, and JSON Lines: entries with the paths of their keys."""

import json as json_format
from collections.abc import Iterator

import pyjson5
from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.ingest.cutting import PASSAGE_TOKENS, Cut, cut_rows
from agents.ingest.decoding import text_of

SMALL = 2 * PASSAGE_TOKENS  # characters of JSON that are kept together


def json(path: str) -> Iterator[Cut]:
    """Entries of a JSON file. Raises InvalidInput when it is not valid JSON, nor JSON5."""
    text = text_of(path)
    try:
        value = json_format.loads(text)
    except json_format.JSONDecodeError as error:
        try:
            value = pyjson5.decode(text)
        except (pyjson5.Json5Exception, ValueError):
            raise _invalid(error, error.lineno) from error
    yield from cut_rows(_entries(value, ""), _keys)


def json_lines(path: str) -> Iterator[Cut]:
    """A value a line. Raises InvalidInput when one is not valid JSON."""
    yield from cut_rows(_lines(text_of(path)), _keys)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json_format.loads(line)
        except json_format.JSONDecodeError as error:
            raise _invalid(error, number) from error
        whole = json_format.dumps(value, ensure_ascii=False)
        name = f"[{number - 1}]"
        if len(whole) <= SMALL:
            yield name, whole
        else:
            yield from _entries(value, name)


def _invalid(error: json_format.JSONDecodeError, line: int) -> InvalidInput:
    reason = _("It is not valid JSON: line %(line)s, column %(column)s, %(reason)s.")
    return InvalidInput(reason % {"line": line, "column": error.colno, "reason": error.msg})


def _keys(first: str, last: str) -> str:
    return first if first == last else f"{first} – {last}"


def _entries(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Its parts that are small, by their paths of keys."""
    children = _children(value)
    if not path and not children and isinstance(value, dict | list):
        return
    text = ""
    if path or not children:
        text = value if isinstance(value, str) else json_format.dumps(value, ensure_ascii=False)
    if not children or (path and len(text) <= SMALL):
        yield path, f"{path}: {text}" if path else text
        return
    for key, child in children:
        yield from _entries(child, f"{path} > {key}" if path else key)


def _children(value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [(str(key), child) for key, child in value.items()]
    if isinstance(value, list):
        return [(f"[{number}]", child) for number, child in enumerate(value)]
    return []

"""Rows and entries: CSV, Excel sheets and JSON. A piece of a table begins with the table's first row."""

import csv as csv_format
import io
import json as json_format
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time
from itertools import chain
from pathlib import Path

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from agents.exceptions import InvalidInput
from agents.ingest.cutting import PASSAGE_TOKENS, Cut, cut_rows
from agents.ingest.decoding import text_of

DELIMITERS = ",;\t|"
SMALL = 2 * PASSAGE_TOKENS  # characters of JSON that are kept together

Line = tuple[int, str]  # a row's number, as a spreadsheet shows it, and its text


def csv(path: str) -> Iterator[Cut]:
    """Rows of a CSV file, whichever delimiter its first line has. Raises InvalidInput when it is no table."""
    text = text_of(path)
    delimiter = max(DELIMITERS, key=text.lstrip().partition("\n")[0].count)
    rows = csv_format.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from _table(_lines(rows), _rows)
    except csv_format.Error as error:
        reason = _("It cannot be read as a table: line %(line)s, %(reason)s.")
        raise InvalidInput(reason % {"line": rows.line_num, "reason": error}) from error


def xlsx(path: str) -> Iterator[Cut]:
    """Rows of all sheets of an Excel workbook, formulas as the values last calculated."""
    with Path(path).open("rb") as file:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and the like that it leaves out
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # those written down may be wrong, and would fill every row up
            yield from _table(_lines(sheet.iter_rows(values_only=True)), _sheet(sheet.title))


def json(path: str) -> Iterator[Cut]:
    """Entries of a JSON file, each with the path of its keys. Raises InvalidInput when it is not valid JSON."""
    try:
        value = json_format.loads(text_of(path))
    except json_format.JSONDecodeError as error:
        reason = _("It is not valid JSON: line %(line)s, column %(column)s, %(reason)s.")
        raise InvalidInput(reason % {"line": error.lineno, "column": error.colno, "reason": error.msg}) from error
    yield from cut_rows(_entries(value, ""), _keys)


def _table(lines: Iterator[Line], place: Callable[[int, int], str]) -> Iterator[Cut]:
    first = next(lines, None)
    second = next(lines, None)
    if first and second:
        yield from cut_rows(chain([second], lines), place, head=first[1])
    elif first:
        yield from cut_rows([first], place)


def _lines(rows: Iterable[Iterable[object]]) -> Iterator[Line]:
    for number, row in enumerate(rows, start=1):
        text = " | ".join(_cell(value) for value in row).rstrip(" |")
        if text:
            yield number, text


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return " ".join(str(value).split())


def _rows(first: int, last: int) -> str:
    """In English, as the agent is told; the page translates it."""
    if first == last:
        return f"Row {first}"
    return f"Rows {first}–{last}"


def _sheet(name: str) -> Callable[[int, int], str]:
    place = f"Sheet: {name}"
    return lambda first, last: place


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

"""Rows: CSV and spreadsheets. A piece of a table begins with the table's first row."""

import csv as csv_format
import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from openpyxl import load_workbook

from agents.ingest import limits
from agents.ingest.cutting import Cut, cut_rows
from agents.ingest.decoding import text_of

DELIMITERS = ",;\t|"
JUDGED = 200  # rows that tell how a table is written
PREAMBLE = 20  # rows that may stand before it
LONGEST_FIELD = 2**31 - 1

Row = tuple[int, list[str]]  # its number, as a spreadsheet shows it, and its cells
Line = tuple[int, str]


def csv(path: str) -> Iterator[Cut]:
    """Rows of a CSV file, however it is delimited and whatever stands before the table."""
    text = text_of(path)
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip("\r")) == 5:
        text, delimiter = rest, first[4]
    else:
        delimiter = max(DELIMITERS, key=lambda sign: _regularity(text, sign))
    yield from table(list(_csv_rows(text, delimiter)), _rows)


def xlsx(path: str) -> Iterator[Cut]:
    """Rows of all sheets of an Excel workbook: what formulas last came to, or those that nobody calculated."""
    with Path(path).open("rb") as file:
        results = _workbook(file, data_only=True)
        formulas = _workbook(file, data_only=False) if _has_formulas(path) else None
        limits.check_sheets(len(results.worksheets))
        for sheet in results.worksheets:
            rows = _values(sheet)
            if formulas:
                both = zip(rows, _values(formulas[sheet.title]), strict=False)
                rows = ([_result(*cell) for cell in zip(values, said, strict=False)] for values, said in both)
            yield from table(_numbered(rows), sheet_place(sheet.title))


def _workbook(file: Any, *, data_only: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and the like that it leaves out
        return load_workbook(file, read_only=True, data_only=data_only, keep_links=False)


def _values(sheet: Any) -> Iterator[Iterable[object]]:
    sheet.reset_dimensions()  # those written down may be wrong, and would fill every row up
    cells = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):  # rows left out in it are among them
        cells += len(row)
        limits.check_rows(number)
        limits.check_cells(cells)
        yield row


def _has_formulas(path: str) -> bool:
    with ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(b"<f" in line for name in sheets for line in archive.open(name))


def _result(value: object, said: object) -> object:
    if value is not None or said is None:
        return value
    return getattr(said, "text", said)  # of a formula for several cells


def _csv_rows(text: str, delimiter: str) -> Iterator[Row]:
    rows = list(_parsed(text, delimiter))
    if rows and text.count('"') % 2 and any("\n" in cell for cell in rows[-1]):
        rows = list(_parsed(text, delimiter, quoted=False))  # a quotation mark that was never closed
    return _numbered(rows)


def _parsed(text: str, delimiter: str, *, quoted: bool = True) -> Iterator[list[str]]:
    csv_format.field_size_limit(LONGEST_FIELD)
    lines = io.StringIO(text, newline="")
    if quoted:
        return csv_format.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return csv_format.reader(lines, delimiter=delimiter, quoting=csv_format.QUOTE_NONE)


def _regularity(text: str, delimiter: str) -> tuple[int, int, int]:
    """How much of a table the delimiter makes: the rows that have as many cells as most, and how many those are."""
    rows = islice(_parsed(text, delimiter), JUDGED)
    widths = Counter(len(row) for row in rows if any(row))
    width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(1, 0))
    return (count if width > 1 else 0, width, -DELIMITERS.index(delimiter))


def _numbered(rows: Iterable[Iterable[object]]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        cells = [_cell(value) for value in row]
        if any(cells):
            yield number, cells


def table(rows: Iterable[Row], place: Callable[[int, int], str]) -> Iterator[Cut]:
    """Pieces of a table, each under its first row; what stands before that is a piece of its own."""
    rows = iter(rows)
    judged = list(islice(rows, JUDGED))
    start = _start(judged)
    yield from cut_rows(map(_line, judged[:start]), place)
    lines = map(_line, chain(judged[start:], rows))
    head, first = next(lines, None), next(lines, None)
    if head and first:
        yield from cut_rows(chain([first], lines), place, head=head[1])
    elif head:
        yield from cut_rows([head], place)


def _start(rows: list[Row]) -> int:
    """Which of the rows is the table's first: nearly as wide as most, and with another right below it."""
    widths = [sum(map(bool, cells)) for _, cells in rows]
    usual = Counter(widths).most_common(1)[0][0] if widths else 0
    wide = [n for n, width in enumerate(widths[:PREAMBLE]) if width > max(1, usual / 2)]
    followed = (n for n in wide if n + 1 < len(rows) and rows[n + 1][0] == rows[n][0] + 1)
    return next(followed, wide[0] if wide else 0)


def _line(row: Row) -> Line:
    return row[0], " | ".join(row[1]).rstrip(" |")


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


def sheet_place(name: str) -> Callable[[int, int], str]:
    """The place of all rows of a sheet."""
    place = f"Sheet: {name}"
    return lambda first, last: place

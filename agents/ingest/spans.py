"""Cells of a table that span rows or columns, so that each row has all of its columns."""

from collections import deque
from copy import copy

from bs4 import Tag

WIDEST = 100  # columns a cell may reach over
REPEATED = 200  # characters of a cell that is said again below itself


def fill_spans(table: Tag) -> None:
    """Put a cell wherever another reaches: the same below it, an empty one beside it or where headings span rows."""
    reaching: dict[int, tuple[Tag, int]] = {}  # by column: what is put there, in how many rows more
    for row in table("tr"):
        if row.find_parent("table") is not table:
            continue
        cells = row(["td", "th"], recursive=False)
        only_headings = all(cell.name == "th" for cell in cells)
        above, reaching, waiting = reaching, {}, deque(cells)
        filled: list[Tag] = []
        while waiting or any(column >= len(filled) for column in above):
            column = len(filled)
            if column in above:
                cell, rows = above[column]
                filled.append(copy(cell))
                if rows > 1:
                    reaching[column] = (cell, rows - 1)
            elif waiting:
                cell = waiting.popleft().extract()
                columns, rows = _span(cell, "colspan"), _span(cell, "rowspan")
                filled += [cell, *(_empty(cell) for _ in range(columns - 1))]
                if rows > 1:
                    again = _empty(cell) if only_headings or len(cell.get_text()) > REPEATED else cell
                    reaching[column] = (again, rows - 1)
                    reaching |= {column + n: (_empty(cell), rows - 1) for n in range(1, columns)}
            else:
                filled.append(Tag(name="td"))
        row.extend(filled)


def _span(cell: Tag, name: str) -> int:
    """How far it reaches; said no more, since each column has its cell now."""
    said = str(cell.attrs.pop(name, ""))
    return max(1, min(int(said), WIDEST)) if said.isdecimal() and len(said) < 6 else 1


def _empty(cell: Tag) -> Tag:
    return Tag(name=cell.name)

"""Tables as people make them: any delimiter, a sentence before them, formulas nobody calculated, empty sheets."""

import io
import json
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.formula import ArrayFormula

from tests.agents.reading_files import cuts, text_of

SHOP = "Article | Price | Stock\nCoffee | 4.99 | 3\nTea | 2.49 | 11"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Article;Price;Stock\nCoffee;4.99;3\nTea;2.49;11\n", SHOP),
        ("Article\tPrice\tStock\r\nCoffee\t4.99\t3\r\nTea\t2.49\t11\r\n", SHOP),
        ("Article|Price|Stock\nCoffee|4.99|3\nTea|2.49|11", SHOP),
        (
            "Made on 3 May, by Anna, in EUR, all\n\nArticle;Price;Stock\nCoffee;4.99;3\nTea;2.49;11",
            f"Made on 3 May, by Anna, in EUR, all\n{SHOP}",
        ),
        (
            "Report\nCreated;3 May\n\nArticle;Price;Stock\nCoffee;4.99;3\nTea;2.49;11",
            f"Report\nCreated | 3 May\n{SHOP}",
        ),
        ("sep=;\nArticle;Price;Stock\nCoffee;4.99;3\nTea;2.49;11", SHOP),
        ("SEP=,\r\nArticle,Note\r\nTea,a;b;c\r\n", "Article | Note\nTea | a;b;c"),
        ("Article;Price\nCoffee;4,99\nTea;2,49", "Article | Price\nCoffee | 4,99\nTea | 2,49"),
        (
            'Name,Note\nAnn,"one; two; three"\nBen,"four, five; six"',
            "Name | Note\nAnn | one; two; three\nBen | four, five; six",
        ),
        ('Name,Note\nAnn,"two\nlines, ""quoted"""', 'Name | Note\nAnn | two lines, "quoted"'),
        ('Name, Note\nAnn, "a, b"', "Name | Note\nAnn | a, b"),
        ('Size;Name\n"5 inch;Disk\n8 inch;Drum\n', 'Size | Name\n"5 inch | Disk\n8 inch | Drum'),
        ("Only\none\ncolumn", "Only\none\ncolumn"),
    ],
)
def test_a_table_is_read_however_it_is_written(tmp_path: Path, written: str, text: str) -> None:
    assert text_of(tmp_path, "a.csv", written.encode()) == text
    heads = [cut.text.split("\n")[0] for cut in cuts(tmp_path, "a.csv", written.encode())]
    assert "Article | Price | Stock" not in text or "Article | Price | Stock" in heads


def test_tabs_are_read_under_their_own_name(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a.tsv", b"Article\tPrice\tStock\nCoffee\t4.99\t3\nTea\t2.49\t11") == SHOP


def test_a_very_long_field_costs_nothing_else(tmp_path: Path) -> None:
    text = text_of(tmp_path, "a.csv", b"who,what\nAnn," + b"word " * 60_000 + b"\nBen,short\n")
    assert text.count("word") == 60_000 and "Ben | short" in text


def test_a_formula_that_nobody_calculated_is_shown(tmp_path: Path) -> None:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in (["Item", "Jan", "Sum"], ["Rent", 800, "=B2*2"], ["Food", None, "=SUM(B2:B3)"]):
        sheet.append(row)
    sheet["D2"] = ArrayFormula("D2:D3", "=B2:B3*2")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3))
    book.create_chartsheet("Chart", 0).add_chart(chart)
    book.create_sheet("Empty", 0)
    book.create_sheet("Last").append(["the", "end"])
    book.save(file)
    found = cuts(tmp_path, "a.xlsx", file.getvalue())
    assert [(cut.place, cut.text) for cut in found] == [
        ("Sheet: Sheet", "Item | Jan | Sum\nRent | 800 | =B2*2 | =B2:B3*2\nFood |  | =SUM(B2:B3)"),
        ("Sheet: Last", "the | end"),
    ]


# JSON


@pytest.mark.parametrize(
    "written",
    [
        '{"a": 1, "b": [1, 2]}',
        '{// why\n"a": 1, /* so */ "b": [1, 2,],}',
        "{a: 1, 'b': [1, 2]}",
        '\ufeff{"a": 1, "b": [1, 2]}',
    ],
)
def test_json_is_read_with_what_people_add_to_it(tmp_path: Path, written: str) -> None:
    for ending in ("json", "jsonc", "json5"):
        assert text_of(tmp_path, f"a.{ending}", written.encode()) == "a: 1\nb: [1, 2]"


def test_json_lines_are_entries_by_their_number(tmp_path: Path) -> None:
    lines = [json.dumps({"n": 1, "who": "Änne"}), "", json.dumps({"long": "word " * 300}), "3"]
    found = cuts(tmp_path, "a.jsonl", "\n".join(lines).encode())
    assert (found[0].place, found[0].text) == ("[0]", '{"n": 1, "who": "Änne"}')
    assert found[1].place == "[2] > long" and found[-1].text == "3"
    with pytest.raises(Exception, match="It is not valid JSON: line 2, column 7, Expecting value"):
        cuts(tmp_path, "b.ndjson", b'{"a": 1}\n{"b": }')

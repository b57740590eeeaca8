"""What is kept is in one form, however it came."""

import unicodedata

import pytest

from agents.text.clean import encodable, storable


def test_what_is_kept_is_in_normal_form_c_and_encodable() -> None:
    assert storable("Jose\u0301\x00 \ud800") == "José ?"
    assert encodable("Jose\u0301\x00") == "Jose\u0301"


@pytest.mark.timeout(30)
def test_a_heap_of_marks_takes_no_time() -> None:
    heap = "a" + "\u0301\u0316" * 50_000
    kept = storable(heap)
    assert storable(kept) == kept
    assert unicodedata.normalize("NFD", kept).replace("\u034f", "").count("\u0316") == 50_000

"""Half-arrived JSON."""

import json

from agents.llm.partial_json import Growing, read

WHOLE = json.dumps({"inner_thoughts": 'a "quoted" thought', "message": "你好 \\ \n end", "n": 3}, ensure_ascii=True)


def test_every_prefix_gives_what_it_already_says() -> None:
    said = ""
    for end in range(len(WHOLE) + 1):
        so_far = read(WHOLE[:end]).get("message", "")
        assert so_far.startswith(said)
        said = so_far
    assert said == "你好 \\ \n end"


def test_what_is_no_object_gives_nothing() -> None:
    assert read("") == read("hello") == read("[1, 2") == read('"text') == {}


def test_growing_gives_each_piece_once() -> None:
    growing = Growing()
    assert [growing.more(text) for text in ("he", "hello", "hello", None, "hello!")] == ["he", "llo", "", "", "!"]

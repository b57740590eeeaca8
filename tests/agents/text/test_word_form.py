"""What is the same word to a person is the same to search."""

import unicodedata

import pytest

from agents.text.word_form import word_form

SAME = [
    ("Wi-Fi", "wifi"),
    ("Wi-Fi", "wi fi"),
    ("wi fi", "WiFi"),
    ("Wi‑Fi", "wifi"),
    ("C++", "c++"),
    ("C#", "c#"),
    (".NET", ".net"),
    ("node.js", "nodejs"),
    ("Node.js", "node js"),
    ("A38", "a 38"),
    ("A-38", "A38"),
    ("straße", "STRASSE"),
    ("José", "jose"),
    ("JOSÉ", unicodedata.normalize("NFD", "josé")),
    ("naïve", "naive"),
    ("Müller", "muller"),
    ("Müller", "Mueller"),
    ("MÜLLER", "mueller"),
    ("ﬁle", "file"),
    ("oﬀice", "office"),
    ("⾦", "金"),
    ("⻘年", "青年"),
    ("１２３", "123"),
    ("ＡＢＣ", "abc"),
    ("e-mail", "email"),
    ("O'Brien", "obrien"),
    ("O’Brien", "O'Brien"),
    ("ﾊﾟﾝﾔ", "パンヤ"),
    ("한국어", unicodedata.normalize("NFD", "한국어")),
    ("Nguyễn", "nguyen"),
    ("Đức", "duc"),
    ("İstanbul", "istanbul"),
    ("Diyarbakır", "diyarbakir"),
    ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"),
    ("ﻣﺮﺣﺒﺎ", "مرحبا"),
    ("مَرْحَبا", "مرحبا"),
    ("Donau\u00addampf", "donaudampf"),
    ("zero\u200bwidth\u200d", "zerowidth"),
    ("snake_case", "snakecase"),
    ("Øystein", "oystein"),
    ("Ann's", "Ann’s"),
]
OTHER = [("C++", "c"), ("C#", "c"), ("C++", "c#"), ("が", "か"), ("3.14", "314"), ("हिन्दी", "हन्द"), ("to be", "tobe")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_word_in_another_spelling_has_a_word_in_common(one: str, other: str) -> None:
    assert set(word_form(one).split()) & set(word_form(other).split())


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_word_has_none(one: str, other: str) -> None:
    assert not set(word_form(one).split()) & set(word_form(other).split())


def test_a_sentence_is_its_words_and_no_more() -> None:
    assert word_form("It's Ann's dog, isn't it?") == "it s ann s dog isn t it"
    assert word_form("用C++写代码") == "用 cplusplus 写代 代码"
    assert (
        word_form("see https://a.example/b, and/or x@y.example")
        == "see https aexample a example b and or x yexample y example"
    )
    assert word_form("on 2024-05-01, -5 or 3.14") == "on 20240501 2024 05 01 5 or 3.14"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["a-", "a.b", "'", "ü", "a 1 ", "\u0301", "\u0301\u0316"])
def test_any_text_has_a_form(piece: str) -> None:
    word_form(piece * (200_000 // len(piece)))


@pytest.mark.parametrize("text", ["x" + "'s" * 3000, "C" + "+" * 5000, "." * 5000, "wi-" * 5000 + "fi"])
def test_a_name_without_end_is_a_word_too(text: str) -> None:
    assert len(word_form(text)) < 20 * len(text)

"""Text in whatever encoding it came: read as it was written, or refused, but never garbled."""

import random
from pathlib import Path

import pytest

from agents.exceptions import InvalidInput
from agents.ingest import decoding
from agents.ingest.decoding import decoded, is_text
from tests.agents.reading_files import text_of

TEXTS = {
    "ru": "Договор аренды квартиры. Арендатор Мария Петрова платит сорок тысяч рублей в месяц.",
    "de": "Mietvertrag. Die Mieterin Jürgen Müller zahlt siebenhundert Euro für die Wohnung in der Grünstraße.",
    "pl": "Umowa najmu. Najemca Łukasz Żółć płaci tysiąc złotych miesięcznie do piątego dnia każdego miesiąca.",
    "el": "Μισθωτήριο συμβόλαιο. Η ενοικιάστρια πληρώνει πεντακόσια ευρώ τον μήνα μέχρι την πέμπτη ημέρα.",
    "he": "חוזה שכירות. השוכרת משלמת ארבעת אלפים שקלים בכל חודש עד היום החמישי בחודש לבעל הבית.",
    "ja": "賃貸契約書。借主の田中さくらは毎月五日までに家賃八万円を支払う。敷金は一か月分とする。",
    "ko": "임대차 계약서. 임차인 김민수는 매월 오일까지 월세 오십만 원을 지불한다. 보증금은 한 달분이다.",
    "zh": "房屋租赁合同。承租人林美华每月五日前支付租金八千元，押金为一个月租金，房屋位于青叶路七号。",
    "tw": "房屋租賃合約。承租人林美華每月五日前支付租金八千元，押金為一個月租金，房屋位於青葉路七號。",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *(("ru", name) for name in ("cp1251", "koi8-r", "cp866", "iso8859-5", "utf-16-le", "utf-16-be", "utf-32-le")),
        *(("de", name) for name in ("cp1252", "latin-1", "utf-16-le", "utf-16-be", "utf-32-be", "utf-8", "utf-8-sig")),
        *(("pl", name) for name in ("cp1250", "iso8859-2")),
        *(("el", name) for name in ("cp1253", "iso8859-7")),
        ("he", "cp1255"),
        *(("ja", name) for name in ("cp932", "euc-jp", "iso2022_jp", "utf-16-le", "utf-16")),
        *(("ko", name) for name in ("cp949", "iso2022_kr")),
        *(("zh", name) for name in ("gb18030", "hz", "utf-16-be")),
        ("tw", "big5"),
    ],
)
def test_a_text_in_any_encoding_is_read(language: str, encoding: str) -> None:
    assert decoded(TEXTS[language].encode(encoding)) == TEXTS[language]


@pytest.mark.parametrize("bad", [b"\xff", b"\xfc", b"\xe6\x97", b"\x80"])
def test_utf_8_with_a_stray_byte_is_utf_8(bad: bytes) -> None:
    for text in (TEXTS["de"], TEXTS["ru"], TEXTS["zh"]):
        for mark in (b"", b"\xef\xbb\xbf"):
            assert decoded(mark + text.encode() + bad + b" end") == f"{text}\ufffd end"


def test_what_tells_the_encoding_may_be_far_down_a_large_file() -> None:
    plain = "plain words, line by line\n" * 20_000
    for separator in ("\n", " "):
        assert decoded((plain.replace("\n", separator) + TEXTS["ru"]).encode("cp1251")).endswith(TEXTS["ru"])


@pytest.mark.parametrize(
    "text", ["It’s “odd” – isn’t it?", "El niño está aquí", "naïve café", "5 °C, 10 £", "für Müller", "Hé"]
)
def test_a_few_accents_in_a_short_text_are_the_common_encodings(text: str) -> None:
    assert decoded(text.encode("cp1252")) == text


def test_what_is_no_text_is_refused() -> None:
    chance = random.Random(3)
    noise = [chance.randbytes(size) for size in (100, 300, 5000, 50_000) for _ in range(10)]
    for raw in (*noise, bytes(500), bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n" + chance.randbytes(200)):
        assert not is_text(raw)
        with pytest.raises(InvalidInput, match="Its text encoding is not known"):
            decoded(raw)


def test_an_empty_text_and_a_bare_mark_are_empty() -> None:
    assert [decoded(raw) for raw in (b"", b"\xef\xbb\xbf", b"\xff\xfe")] == ["", "", ""]


def test_a_guess_is_made_from_few_bytes_of_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = decoding._sample

    def sample(raw: bytes) -> bytes:
        taken = real(raw)
        sizes.append(len(taken))
        return taken

    monkeypatch.setattr(decoding, "_sample", sample)
    decoded((TEXTS["ru"] * 20_000).encode("cp1251"))
    assert sizes == [decoding.SAMPLE]


def test_what_is_read_as_a_file_is_decoded_too(tmp_path: Path) -> None:
    for name, text in (("a.txt", TEXTS["ja"]), ("a.md", TEXTS["ja"]), ("a.csv", f"a,b\n1,{TEXTS['ja']}")):
        assert TEXTS["ja"] in text_of(tmp_path, name, text.encode("cp932"))

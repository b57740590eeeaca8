"""Compatibility forms become the characters people type; what they mean stays."""

import unicodedata

import pytest

from agents.text.compatibility import DISGUISED, RADICALS, plain_forms


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("承租⼈每⽉⽀付租⾦，房屋位于⻘叶路⻓", "承租人每月支付租金，房屋位于青叶路长"),
        ("⺟⻳㇐豈", "母龟一豈"),  # radicals Unicode does decompose, a stroke, a character encoded twice
        ("oﬀice ﬁle diﬃcult aﬄuent ﬅone", "office file difficult affluent stone"),
        ("ＡＢＣ　１２３％", "ABC 123%"),
        ("ﾊﾞﾅﾅ ｱｲｽ｡ ￦ ﾡ", "バナナ アイス。 ₩ ㄱ"),
        ("ﻣﺮﺣﺒﺎ ﻻ", "مرحبا لا"),
        ("שּׁלום ﬡ", unicodedata.normalize("NFC", "שּׁלום א")),
        ("㎏ ㎡ ㌔ ℃ Ⅷ", "kg m² キロ °C VIII"),
        ("𝐹=𝑚·𝑎, ℎ", "F=m·a, h"),
        ("︵壹︶︐", "(壹),"),
        ("10\u00a0EUR e\u2011mail", "10 EUR e\u2010mail"),
        ("Wohnungs\u00ad\nbau Bedarfs\u00adfall Miet\u00ad  \r\n  zins", "Wohnungsbau Bedarfsfall Mietzins"),
        ("long\u200bword\ufeff 葛\U000e0100", "longword 葛"),
        ("cafe\u0301", "café"),
    ],
)
def test_what_is_disguised_is_resolved(text: str, plain: str) -> None:
    assert plain_forms(text) == plain
    assert plain_forms(plain) == plain


@pytest.mark.parametrize(
    "text",
    [
        "m² x₂ ½ ① ⑴ ℝ ™ … №",
        "租金八千元，押金（一个月）：好！是？；～",
        "ทำงาน և ດຳ",  # letters that Unicode calls compatible
        "ㅋㅋ 한국어",
        "می‌خواهم 👩‍🚀 ❤️",  # joined and not joined
        "ភាសា\u200bខ្មែរ",  # where a word ends
        "plain ASCII\r\n\tand lines-",
    ],
)
def test_what_has_a_meaning_of_its_own_stays(text: str) -> None:
    assert plain_forms(text) == text


def test_no_radical_is_left() -> None:
    radicals = [chr(code) for start, end in ((0x2E81, 0x2EF4), (0x2F00, 0x2FD6)) for code in range(start, end)]
    named = [radical for radical in radicals if unicodedata.name(radical, "")]
    assert not [radical for radical in named if "RADICAL" in unicodedata.name(plain_forms(radical))]
    assert not [plain for plain in RADICALS.values() if DISGUISED.match(chr(plain))]

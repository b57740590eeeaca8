"""Characters that are others in disguise, as PDFs and old encodings have them, resolved to those that people type."""

import re
import unicodedata

# Radicals and strokes stand for whole characters in many PDFs, whose fonts draw both alike. Of these Unicode's
# normalisation leaves the Kangxi radicals to us only halfway: the rest is from its list EquivalentUnifiedIdeograph.
RADICALS = str.maketrans(
    "⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷⺸⺹⺺⺻"
    "⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲㇐㇠",
    "厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑彐忄心扌攵旡日月歺民氵氺灬爫爫丬牛犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿"
    "肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑钅長镸长门𨸏阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀一乙",
)
# What is resolved. Left alone is what would lose its meaning: superscripts, fractions, circled numbers, ℝ, the
# punctuation of Chinese, and letters that Unicode calls compatible where they are ordinary, as in Thai and Armenian.
RANGES = (
    *("\u00a0", "\u2000-\u200a", "\u202f", "\u205f", "\u3000"),  # spaces
    *("\u00b5", "\u0132\u0133", "\u013f\u0140", "\u0149", "\u017f", "\u01c4-\u01cc", "\u01f1-\u01f3"),  # µ, ĳ, ŀ, ſ, ǆ
    *("\u2011", "\u2103", "\u2109", "\u210e", "\u2160-\u217f"),  # a hyphen, ℃, ℎ, Ⅳ
    *("\u2e9f", "\u2ef3", "\u2f00-\u2fd5"),  # radicals
    *("\u32cc-\u32cf", "\u32ff", "\u3300-\u33ff"),  # units and words in one square: ㎏, ㌔
    *("\uf900-\ufaff", "\U0002f800-\U0002fa1f"),  # CJK characters that were encoded twice
    *("\ufb00-\ufb06", "\ufb13-\ufb17", "\ufb1d-\ufb4f"),  # ligatures: Latin, Armenian, Hebrew
    *("\ufb50-\ufdff", "\ufe70-\ufefc"),  # Arabic letters in the shape of their place
    *("\ufe10-\ufe19", "\ufe30-\ufe6f"),  # vertical and small punctuation
    *("\uff02-\uff07", "\uff0a\uff0b", "\uff0d-\uff19", "\uff1c-\uff1e", "\uff20-\uff5d"),  # full width
    "\uff5f-\uffee",  # half width
    "\U0001d400-\U0001d7ff",  # letters as mathematics draws them: 𝑥
)
DISGUISED = re.compile(f"[{''.join(RANGES)}]")
SOFT_HYPHEN = re.compile("\u00ad(?:[ \\t]*\\r?\\n[ \\t]*)?")
# Without width and meaning, or choosing between drawings of a character. In Thai and its neighbours one parts words.
INVISIBLE = re.compile(
    "\u200b(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])|[\u2060\ufe00-\ufe0d\ufeff\U000e0100-\U000e01ef]"
)


def plain_forms(text: str) -> str:
    """`text` in the characters people type: no radicals, ligatures, presentation forms, full or half width, no soft
    hyphens. A word that a soft hyphen parts at a line's end is joined."""
    if text.isascii():
        return text
    text = INVISIBLE.sub("", SOFT_HYPHEN.sub("", text)).translate(RADICALS)
    return unicodedata.normalize("NFC", DISGUISED.sub(lambda found: _undisguised(found.group()), text))


def _undisguised(character: str) -> str:
    """One step of Unicode's decomposition and on where that is disguised too: ㎡ is m², and the ² stays."""
    parts = unicodedata.decomposition(character).split()
    if not parts:
        return character
    codes = [part for part in parts if not part.startswith("<")]
    if len(codes) > 1 and codes[0] == "0020":  # a mark over nothing
        del codes[0]
    plain = "".join(chr(int(code, 16)) for code in codes)
    return DISGUISED.sub(lambda found: _undisguised(found.group()), plain)

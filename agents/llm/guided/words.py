"""What can be told about a text without a model: its words, numbers, names, sentences.

Used to guard what a small model writes. English and Chinese are covered by word lists; for other languages the
functions fall back to punctuation and spelling, which errs towards the safe side (answer, do not write).
"""

import re

CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_NUMBER = re.compile(r"[0-9]+")
_SENTENCE_END = re.compile(
    r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bSt\.)(?<=[.!?…])\s+|(?<=[。！？；])\s*|\n+"
)
_CHINESE_ASKED = re.compile("什么时候|(星期|礼拜|周)几|几[号点岁月天年个只]|多少|多大")
_IRREGULAR = """
grew:grow grown:grow taught:teach drove:drive went:go met:meet ate:eat drank:drink bought:buy sold:sell
began:begin wrote:write spoke:speak ran:run swam:swim sang:sing left:leave lost:lose broke:break wore:wear
won:win paid:pay kept:keep built:build children:kid child:kid kids:kid flat:apartment
grandad:grandfather grandpa:grandfather granddad:grandfather grandma:grandmother granny:grandmother nan:grandmother
mum:mother mom:mother mummy:mother dad:father daddy:father hubby:husband
"""
_SAME = dict(pair.split(":") for pair in re.findall(r"\S+", _IRREGULAR))
_SUFFIXES = ("ing", "ers", "er", "ed", "es", "s", "e")

_STOP_LIST = """
a about above after again all also am an and any anymore are as at be because been before being but by can could did do
does doing don't done for from get got had has have he her here hers him his how i i'm i've i'd i'll if in into is isn't
it it's its just know let like me mine more most my myself no nor not now of off on one or our ours out over own please
re really remember s same she so some such t tell than thank thanks that that's the their them then there these they
this those to too up us very was we were what what's when where where's which while who who's whom whose why will with
would you your yours user called call name's named
"""
STOP_WORDS = frozenset(re.findall(r"\S+", _STOP_LIST))

_GREETING = re.compile(
    r"^\s*((hi|hello|hey|hola|ciao|bonjour|hallo|namaste|kia ora|"
    r"good (morning|afternoon|evening)|thanks( a lot)?|thank you( so much)?|ok(ay)?|great)"
    r"( there| again)?[!,.…]+\s*|(你好|您好|[早中下晚][上午]好|早安|打扰了|"
    r"嗨|哈喽|在吗|在不在|谢谢你?|多谢|好的)[！!，,。？?]+\s*)+",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, each an exact stretch of it."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def numbers(text: str) -> set[str]:
    """Every run of digits."""
    return set(_NUMBER.findall(text))


def names(text: str) -> set[str]:
    """Capitalised words that do not begin a sentence or follow a colon, in small letters."""
    words: set[str] = set()
    for sentence in sentences(text):
        for match in _WORD.finditer(sentence):
            before = sentence[: match.start()].rstrip(" \"'“”‘’([*-")
            word = _bare(match.group())
            if before and before[-1] not in ":：" and word[:1].isupper() and word.lower() not in STOP_WORDS:
                words.add(word.lower())
    return words


def mentions(text: str, word: str) -> bool:
    """Whether `word` (small letters) stands in `text` as a word or as the beginning of one."""
    if CJK.search(word):
        return word in text
    return re.search(rf"(?<![^\W_]){re.escape(word)}", text.lower()) is not None


def stems(text: str) -> set[str]:
    """The words that carry meaning, cut to comparable stems; Chinese, Japanese and Korean text as character pairs."""
    terms = {_stem(word) for word in content_words(text)}
    for run in re.findall(rf"{CJK.pattern}+", _CHINESE_ASKED.sub(" ", text)):
        content = re.sub(r"[的了吗呢是在我你他她它们有和就都也很什么哪里谁怎儿个这那请]", " ", run)
        for part in content.split():
            terms |= {part[i : i + 2] for i in range(len(part) - 1)} or {part}
    return terms


def content_words(text: str) -> list[str]:
    """The words of a text without stop words, in order, Chinese, Japanese and Korean left out."""
    words = (_bare(match) for match in _WORD.findall(text) if not CJK.search(match))
    return [word for word in words if word and word.lower() not in STOP_WORDS]


def overlap(part: str, whole: str) -> float:
    """The share of `part`'s stems that stand in `whole`, 0 to 1; 0 if it has none."""
    terms = stems(part)
    return len(terms & stems(whole)) / len(terms) if terms else 0.0


def without_greeting(text: str) -> str:
    """The text without a greeting or thanks before what it says; a mere greeting stays as it is."""
    return _GREETING.sub("", text) or text


def weight(text: str) -> int:
    """Length in Latin characters' worth of tokens: a Chinese, Japanese or Korean character counts three."""
    return len(text) + 2 * len(CJK.findall(text))


def clip(text: str, limit: int) -> str:
    """At most `limit` in weight, with a mark where something was left out."""
    if weight(text) <= limit:
        return text
    total = 0
    for index, char in enumerate(text):
        total += weight(char)
        if total >= limit:
            return text[:index].rstrip() + "…"
    return text


def _bare(word: str) -> str:
    return re.sub(r"['’](s|m|re|ve|ll|d)$", "", word, flags=re.IGNORECASE)


def _stem(word: str) -> str:
    low = _SAME.get(word.lower(), word.lower())
    for suffix in _SUFFIXES:
        if len(low) - len(suffix) >= 3 and low.endswith(suffix):
            low = low[: -len(suffix)]
            break
    return re.sub(r"([bdgmnprt])\1$", r"\1", low)[:5]

"""Who “he”, “she” or “her” is in what somebody told, as far as it is plain. No model call."""

import re

from agents.llm.guided.naming import is_demonym
from agents.llm.guided.signs import is_of_a_third, relations
from agents.llm.guided.values import values_of
from agents.llm.guided.words import sentences

_WHAT = r"(?:(?P<ing>\w+ing)|a|an|the|in|at|on|from|called|\d+)\b"
DENIES = re.compile(rf"^(?P<who>(?!I\b|We\b)[A-Z]\w+) (?:is|are|was)(?:n['’]t| not) {_WHAT}")
AFFIRMS = re.compile(rf"^(?P<who>[A-Z]\w+)(?:['’]s| is| are| was) {_WHAT}")
_IS = re.compile(rf"(?<=\w)['’]s(?= {_WHAT})")
_HE = re.compile(r"^(?P<who>He|She)(?=[ '’])(?!(?:['’]s| is) my\b)", re.IGNORECASE)
_HIS = re.compile(r"^(?:(?P<He>His)|(?P<She>Her)) (?=[a-z])", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:in|at|to|from|near|of) $")
_OWNED = (
    r"\b((?:[Mm]y|[Oo]ur|[Aa]n?|one|[Tt]he)(?: \w+)?? (?:{})"
    r"(?:(?:,| is called| called| named|['’]s name is| is)? ((?-i:[A-Z][a-zé]+)))?)\b(?!['’])"
)
_OWN_WOMAN = re.compile(
    _OWNED.format("sister|mother|mom|mum|wife|girlfriend|daughter|aunt|grandm\\w+|niece|granddaughter")
)
_OWN_MAN = re.compile(_OWNED.format("brother|father|dad|husband|boyfriend|son|uncle|grandf\\w+|nephew|grandson"))
_OWN = re.compile(
    _OWNED.format(
        "dog|cat|horse|boss|partner|friend|neighbour|neighbor|flatmate|roommate|child|cousin|baby|parrot|collie"
    )
)
_ANOTHER = re.compile(  # who may be meant as well: “My daughter has a new teacher.”
    r"\b(?:a|the|an|her|his) (?:\w+ )?(teacher|manager|doctor|nurse|coach|vet|dentist|boss|therapist|girlfriend|"
    r"boyfriend|tutor|trainer)\b(?<!is a vet)(?<!is a nurse)(?<!is a teacher)(?<!is a doctor)"
    r"|的(女儿|儿子|弟弟|哥哥|姐姐|妹妹)",
    re.IGNORECASE,
)
_OTHER_PERSON = re.compile(r"['’]s (?:mother|father|sister|brother|wife|husband|son)")
_HE_ZH = re.compile(r"(?:^|(?<=，))[他她](?!们|是我)")
_CHINESE = re.compile(
    r"(?<!的)(?P<who>(?:大|小|二)?(?:女朋友|男朋友|女儿|儿子|闺女|妹妹|姐姐|哥哥|弟弟|妈妈|母亲|爸爸|父亲|老婆|老公|妻子|丈夫|先生|"
    r"太太|爱人|老伴儿?|孙子|孙女|朋友|同事|室友|邻居|老板|奶奶|爷爷|外婆|外公))(?:叫(?P<name>[\u4e00-\u9fff]{2,3})(?=[，。、]|$))?"
)
_CHINESE_WOMEN = re.compile("女|妹|姐|妈|母|婆|妻|太|奶|媳")
_CHINESE_MEN = re.compile("男|儿子|哥|弟|爸|父|公|丈夫|先生|孙子|爷")


def with_person(part: str, before: str) -> str:
    """A statement with whom it speaks of for a “he” or “his” at its beginning, if what came before leaves but one."""
    if he := _HE.match(part):
        whom = _only_person(before, he["who"])
        rest = re.sub("^['’]ll ", " will ", part[he.end() :])
        return _IS.sub(" is", f"{whom}{rest}", count=1) if whom else part
    if his := _HIS.match(part):
        whom = _only_person(before, str(his.lastgroup))
        return f"{whom}'s {part[his.end() :]}" if whom else part
    return part


def named_by(said: str, text: str) -> str:
    """A message with whom the one `said` before it was about in place of the “he” or “她” that it begins with."""
    he = _HE_ZH.search(text)
    if not (he or _HE.match(text) or _HIS.match(text)) or (he and _CHINESE.search(text[: he.start()])):
        return text
    for before in reversed(sentences(said)):
        if he:
            whom = _only_chinese(before, he.group()) or he.group()
            named = f"{text[: he.start()]}{whom}{text[he.end() :]}"
        else:
            named = with_person(text, before)
        if named != text:
            return f"{named[:1].upper()}{named[1:]}"
    return text


def _only_chinese(before: str, who: str) -> str:
    """The one of the speaker's own people whom a Chinese sentence speaks of, with the name if it has it."""
    if _ANOTHER.search(before):
        return ""
    others = _CHINESE_MEN if who == "她" else _CHINESE_WOMEN
    people = [match for match in _CHINESE.finditer(before) if not others.search(match["who"])]
    return f"{people[0]['who']}{people[0]['name'] or ''}" if len(people) == 1 else ""


def _only_person(sentence: str, who: str) -> str:
    """Whom alone of the speaker's own a sentence speaks of who may be he or she, by name where it has one; else empty.

    Or somebody with whose name it begins: “Rory isn't doing law.”.
    """
    if _ANOTHER.search(sentence):
        return ""
    his, hers = _OWN_MAN.findall(sentence), _OWN_WOMAN.findall(sentence)
    either = _OWN.findall(sentence)
    mine = [*either, *(his if who.title() == "He" else hers)]
    if len(mine) == 1 and not (either and (his or hers)) and not _names_another(sentence, [*his, *hers, *either]):
        whole, name = mine[0]
        return str(name) if name and not is_demonym(name) else str(whole).partition(" is ")[0]
    denial = DENIES.match(sentence)
    if denial and not relations(sentence):
        return denial["who"]
    named = [value for value in values_of(f"x {sentence}") if value.kind == "name"]
    first = named[0].text if len(named) == 1 and sentence.startswith(named[0].text) else ""
    return first if is_of_a_third(sentence) and not relations(sentence) else ""


def _names_another(sentence: str, own: list[tuple[str, str]]) -> bool:
    """Whether a sentence names somebody besides the speaker's own people."""
    for whole, _ in own:
        sentence = sentence.replace(whole, "")
    people = [value for value in values_of(f"x {sentence}") if value.kind == "name"]
    return any(not _PLACE.search(f"x {sentence}"[: one.start]) for one in people) or bool(
        _OTHER_PERSON.search(sentence)
    )

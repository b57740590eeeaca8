"""What a message tells and what it asks for: questions and orders on one side, the rest on the other."""

import re
from dataclasses import dataclass
from functools import lru_cache

from agents.llm.guided.excuses import put_right
from agents.llm.guided.searching import speaks_of_storage
from agents.llm.guided.signs import asks_advice, is_caution, is_lasting, is_personal, relations, sets_style
from agents.llm.guided.values import values_of
from agents.llm.guided.words import CJK, sentences, stems

_ASKING = re.compile(
    r"\W*(((what|who|where|when|how)(['’]?s)?|whom|whose|which|why|(tell|remind) (me|us))\b(?!['’])|"
    r"(do|does|did|is|are|am|was|were|can|could|will|would|should|shall|may|might|have|has|had) "
    r"(i|you|we|he|she|it|they|my|our|your|his|her|their|the|this|that|these|those|there|any\w*|(?-i:[A-Z]\w+))\b)",
    re.IGNORECASE,
)
_ASKING_OF_ME = re.compile(
    r"(?:^|[:,;] )(?:(?:and|so|but|then|ok|well) )*(?:what|who|where|(?:since )?when|how (?:old|many|much|long|often))"
    r"(?:['’]?s| is| are| am| do| did| does)? (?:i|my)\b",
    re.IGNORECASE,
)
MAX_CUTS = 6  # of a sentence; each is read twice
_NO_QUESTION = re.compile(  # “When we marry I'll take his name.”; “What a rainy day!”
    r"^\W*((and|but|so) )?(when(ever)? (i|we|he|she|it|they|my|our|the) (?!.*(\?\W*$|\b(what|how|which|where|can|"
    r"could|should)\b))|what an? [^?,]*$|"
    r"what (i|we) (said|told|wrote|meant)\b[^?]*$|how (nice|lovely|funny|sad|odd)\b(?! (is|are|was)\b)[^?]*$)",
    re.IGNORECASE,
)
_KEEP = re.compile(
    r"\b(can|could|would|will) you (please )?(also )?"
    r"(remember (that|this|my)|save|note|store|keep|add|write down(?! (what|all|everything) you)|make a note|put|"
    r"archive|memori[sz]e)\b"
    r"|\b(can|could|would|will) you (please )?(be|keep|stop|use|answer|reply|talk|speak|address|call)\b"
    r"|\b(can|could|would|will) you (please )?write (to me|in)\b"
    r"|(帮我|请|麻烦|能不能|可以)[^，。？]{0,6}(记住|记下|记一下|存|保存|写下)",
    re.IGNORECASE,
)
_CHINESE_QUESTION = re.compile(
    r"(吗|么)[？?。.]?$|呢[？?]$|^.{1,5}呢[。.]?$|多[大久高长远重]|什么|哪|谁|多少|几[点个岁号月天次]|怎么|为什么|是否|有没有|是不是|还记得|啥"
)
_ORDER = re.compile(
    r"^\W*((so|and|then|now|please|kindly|perhaps|maybe) )*(suggest|recommend|propose|write|draft|compose|give|explain|"
    r"describe|help|list|show|translate|calculate|compare|plan|summari[sz]e|advise|teach|invent|think of|come up with|"
    r"name (me |one |a |an |two |three )|pick|choose|spell|define|count|solve|convert|sum up|remind me|"
    r"tell me|remind me|let me know|make me|make a (list|plan|poem|joke|table|suggestion))\b(?! ?[:：])",
    re.IGNORECASE,
)
_CHINESE_ORDER = re.compile(
    r"^(那么?|所以|请你?|麻烦你?|顺便|再|你?能不能|你?可不可以|你?可以|你?能|就)*"
    r"(给|帮|替我|为我|推荐|建议|写[一个首封段几张份]|翻译|告诉我|说说|讲[一个讲]|解释|介绍|列[出个一]|算一?算|教我|来[一个]?[首个])"
)
_KEEP_ORDER = re.compile(
    r"\b(write|note|take|put) (this |that |it )?down\b|\b(make|take) a note\b|\bin mind\b|\bdon['’]?t forget\b|"
    r"\barchiv|\bfor later\b|记住|记下|记一下|记得|保存|存[到下起]|存档|归档",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"(?:\s*[,;:–—]\s*(?:(?:and|so|but|then)\s+)?|\s+(?:and|so|but)\s+)(?=(?:please\s+)?"
    r"(?:what|which|how|where|who|when|why|(?:can|could|would|will|do) you|can i|could i|should|is there|are there|any|"
    r"suggest|recommend|tell me|give me|help me|write|explain|show me|translate)\b)",
    re.IGNORECASE,
)
_BEFORE_A_QUESTION = (_CLAUSE, re.compile(r"[，,；;]"))
_BEHIND_A_QUESTION = (  # “Any cake ideas, my son turns 7 on Friday?”
    re.compile(r"[,;–—] (?=(?:my|our|i|i['’]m|we|we['’]re)\b)", re.IGNORECASE),
    re.compile(r"[，,；;]"),
)
_WITHIN = re.compile(  # what a question tells beside: “for my nephew Bo, who's 12”, “now that I've bought a Skoda”
    r"\b(?P<who>my [a-z]+(?: [A-Z]\w+)?), who(?:(?P<is>['’]s| is)|(?= (?:has|lives|works|loves|likes|plays|turns|"
    r"studies))) (?P<rest>[^?,]+)[?,]|\bnow that (?P<bought>I['’]?(?:ve)? [^?]+)\?"
)
_WHAT_TO = re.compile(  # where no question mark tells it from “in Bonn, where I work”
    r"(what|how|which|any) (can|could|should|do|does|did|is|are|was|would|will|helps?|to|ideas?|tips?|about)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"^\W*(if|when|whenever|before|after|while|once|unless|as soon|in case)\b", re.IGNORECASE)
_CHINESE_CONDITION = re.compile(
    r"^(如果|要是|假如|关于|至于|对于|说到|请问|我想问|我想知道|我问)|(的时候|时候|之前|之后|的话)[，,]?$"
)
_TASK = re.compile(
    r"^\W*((so|and|then|now|please|kindly) )*((can|could|would|will) you (please |maybe |quickly )?)?(help me (to )?)?"
    r"(suggest|recommend|propose|write|draft|compose|explain|describe|translate|calculate|compare|invent|think of|"
    r"come up with|make up|summari[sz]e|plan|name|list|pick|spell|define|count|solve|convert|"
    r"give me (a|an|some|two|three|five) (ideas?|tips?|recipes?|names?))"
    r"\b(?! (all )?(my|what|where|when|who)\b)"
    r"|\w (times|plus|minus|divided by) \w|\bpercent of\b|\d ?[+*×÷/] ?\d"
    r"|[\d一二三四五六七八九十] ?(加|减|乘以?|除以) ?[\d一二三四五六七八九十]"
    r"|^(那么?|请你?|麻烦你?|你?能不能|你?可不可以|你?可以|你?能|再|顺便)*(给|帮|替|为)?(我|他|她|它|大家|我们)?"
    r"(推荐|建议|写[一个首封段几张份]|翻译|解释|介绍|编[一个首]|[想做列起取出][个一几些]|设计|安排)",
    re.IGNORECASE,
)
_FOR_ME = re.compile(
    r"\bour (solar system|planet|world|galaxy|sun|moon|time|ancestors)\b"
    r"|\b(help|give|tell|show|write|send|make|find|teach|remind) (me|us)\b|(帮|给|替|为|告诉|教)我们?",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"(^|\b(about|like|do|of|for|with|say|is|was)) ?(that|this)\b"
    r"|\b(it|its|these|those|them|they|he|she|him|her|his|their|more|another|else|again|instead|also|too|shorter|"
    r"longer|first|second|last|other)\b|它|那|这|他|她|再|还|另|更",
    re.IGNORECASE,
)
_HOW = re.compile(
    r"\bhow (do|can|could|would|should) (i|we|you|one) (say|spell|pronounce|write|translate|make|cook|bake|fix|repair|"
    r"clean|remove|install|build|get rid|calculate|convert|tie|grow|boil|learn|prepare|start|use)\b"
    r"|怎么(说|写|念|做|修|种|用|学)",
    re.IGNORECASE,
)
_THING = re.compile(
    r"\b(what|which|where|suggest|recommend|ideas?)\b|什么|哪|推荐|建议|点子|主意",
    re.IGNORECASE,
)
_THINK_OF = re.compile(
    r"^\W*((can|could|would) you )?(please )?(think of|come up with|name|pick) (me )?(an?|one|some|two|three)\b", re.I
)
_ALL = re.compile(
    r"\b(what|how much|anything|everything|all|things)\b.{0,25}\b(know|knew|remember|recall|learn(ed|t)?|noted?|"
    r"noticed|found out|gathered|kept|stored|have)\b.{0,25}\b(about|on|of) me\b(?! (and|being|in|at|with)\b)"
    r"|\b(know|remember|recall|noted?|learn(ed|t)?|have)\b.{0,12}\b(anything|everything|something|much|a lot)\b"
    r".{0,10}\b(about|of) me\b"
    r"|\b(tell|describe|summari[sz]e)\b.{0,20}\b(me|what you know) (about )?(me|myself)\b"
    r"|^\W*who am i\b|\bsummari[sz]e (me|what you know)\b"
    r"|\b(sum (me |it )?up|recap|summari[sz]e|describe)\b.{0,25}\b(me|my (situation|life|details|data)|so far)\b"
    r"|\b(what|everything|anything|all)\b.{0,20}\byou (have |had |['’]ve )?"
    r"(got|picked up|written down|noted|stored|remembered)\b(?=.{0,20}\b(me|so far)\b|\W*$)"
    r"|\bhow well do you know me\b|\b(say|tell \w+) about me\b|\b(introduce|introducing|present|presenting) me to\b"
    r"|\bin your (notes|memory)\b.{0,20}\bme\b|\byou (know|remember|have)\b.{0,12}\b(about|of) my life\b"
    r"|把?你(知道|记得|了解).{0,6}我的.{0,6}[都全].{0,3}(讲|说|列|告诉)"
    r"|(你[^，。]{0,4}|还)(知道|了解|记得|记住了?|掌握)(了|着)?(一?些)?(关于)?我(?:和我?的?家人)?的?(什么|哪些|多少|些什么|所有|全部|一切)?"
    r"(事情?|情况|信息|东西|方面)?[了吗呢吧]?[？?。！!]*$|对我的?(都?有(什么|哪些|多少))?(了解|认识|印象)|关于我(和我?的?家人?)?[，,]?你?(都|还|现在)?(知道|了解|记得|记住|记下|的一切|的所有|的情况)|^\W*我是谁|"
    r"(介绍|总结|说说|描述|概括)(一下)?(关于)?我(这个人|的情况|自己)?[？?。！!吧]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parts:
    """A message in two: what it tells, and what it asks for (questions, and orders to do something)."""

    told: str
    asked: str


@lru_cache(maxsize=64)
def parts_of(text: str) -> Parts:
    """Each sentence to its side; one that tells and asks ("I'm vegan, what can I cook?") is cut between the two."""
    told: list[str] = []
    asked: list[str] = []
    for sentence in sentences(put_right(text)):
        before, after = _cut(sentence)
        if before:
            told.append(before)
        if after:
            asked.append(after)
    return Parts(" ".join(told), " ".join(asked))


def is_question(sentence: str) -> bool:
    """Whether one sentence asks for an answer; a request to save something or to behave never does."""
    if _NO_QUESTION.search(sentence):
        return False
    if _ALL.search(sentence):
        return True
    if _KEEP.search(sentence):
        return False
    bare = sentence.strip().rstrip("\"'”’)")
    if bare.endswith(("?", "？")):
        return True
    if CJK.search(bare):
        return _CHINESE_QUESTION.search(bare) is not None
    of_me = _ASKING_OF_ME.search(bare)  # but not “I'm a chef in Lyon, where I live with Bo.”
    return _ASKING.match(bare) is not None or (of_me is not None and not is_personal(bare[: of_me.start()]))


def is_order(sentence: str) -> bool:
    """Whether one sentence asks to do something now: to suggest, write or explain; not to keep or to behave."""
    if _KEEP_ORDER.search(sentence) or _KEEP.search(sentence) or sets_style(sentence):
        return False
    pattern = _CHINESE_ORDER if CJK.search(sentence) else _ORDER
    return pattern.match(sentence.strip()) is not None


def asks_everything(text: str) -> bool:
    """Whether the speaker asks for all that is known about them: “What do you know about me so far?”."""
    return any(_ALL.search(sentence) is not None for sentence in sentences(text.replace("您", "你")))


def asks_task(text: str) -> bool:
    """Whether the speaker asks for something to be made or thought of, not for something that is known of them."""
    return not asks_everything(text) and any(_TASK.search(sentence) is not None for sentence in sentences(text))


def asks_of_the_user(text: str) -> bool:
    """Whether a question is about the speaker themselves; “help me” and “帮我” do not make it so."""
    return is_personal(_FOR_ME.sub("", text)) and not asks_task(text)


def asks_for_ideas(asked: str) -> bool:
    """Whether the speaker wants something named: “Which cake could I bake?”, not “Can I eat cake?”."""
    return (asks_advice(asked) and _THING.search(asked) is not None) or _THINK_OF.search(asked) is not None


def asks_how(text: str) -> bool:
    """Whether the speaker asks how something is done, by whomever: “How do I say this in Italian?”."""
    return any(_HOW.search(sentence) is not None for sentence in sentences(text))


def asks_who(text: str) -> bool:
    """Whether the last question asks for somebody: the answer need not begin with “you”."""
    last = next((part for part in reversed(sentences(text)) if is_question(part)), "")
    return re.match(r"\W*((so|and|but) )*(who|which (of|person))\b", last, re.IGNORECASE) is not None


def stands_alone(asked: str) -> bool:
    """Whether a question or task can be understood without what was said before."""
    return len(stems(asked)) > 1 and _POINTS_BACK.search(asked) is None


def _asks(part: str) -> bool:
    return is_question(part) or is_order(part)


def _cut(sentence: str) -> tuple[str, str]:
    """What the sentence tells and what it asks; one of the two is empty for most."""
    for at, rest in reversed(_cuts(sentence, _BEFORE_A_QUESTION)):
        before, after = sentence[:at].strip(), sentence[rest:].strip()
        if (
            _asks(after) if CJK.search(after) else after.endswith("?") or is_order(after) or _WHAT_TO.match(after)
        ) and _tells(before):
            return before, after
    if not _asks(sentence):
        return sentence, ""
    for at, rest in _cuts(sentence, _BEHIND_A_QUESTION):
        before, after = sentence[:at].strip(), sentence[rest:].strip().rstrip("?？")
        if _tells(after) and (_asks(before) or _asks(f"{before}?")):
            return after, before
    within = _WITHIN.search(sentence)
    if within and within["who"]:
        who = within["who"]
        return f"{who[:1].upper()}{who[1:]} {'is ' if within['is'] else ''}{within['rest']}.", sentence
    return (within["bought"] if within else ""), sentence


def _cuts(sentence: str, patterns: tuple[re.Pattern[str], re.Pattern[str]]) -> list[tuple[int, int]]:
    """Where the sentence may be cut: the ends of what comes before and the beginnings of what comes after."""
    english, chinese = patterns
    return [match.span() for match in (chinese if CJK.search(sentence) else english).finditer(sentence)][:MAX_CUTS]


def _of_their_own(part: str) -> bool:
    """Whether a Chinese clause tells something of a relative or friend: “男朋友周航下周五生日”."""
    return bool(CJK.search(part) and relations(part[:4]) and (values_of(part) or re.search("[是在叫有]", part[2:])))


def _tells(part: str) -> bool:
    """Whether a clause before a question tells something of the speaker by itself."""
    condition = _CONDITION.search(part) or _CHINESE_CONDITION.search(part)
    storage = speaks_of_storage(part)
    return (
        not _asks(part)
        and not condition
        and not storage
        and (is_personal(part) or is_caution(part) or _of_their_own(part))
        and (is_lasting(part) or len(stems(part)) > 1)
    )

"""What people say around a correction: that they were wrong, and how it came. It is taken off; what they mean stays."""

import re

from agents.llm.guided.signs import excuses, is_caution, is_lasting, relations, topics
from agents.llm.guided.values import values_of
from agents.llm.guided.words import CJK, sentences, without_greeting

_PLEASE_REMEMBER = re.compile(
    r"^(please |can you |could you )*(also )?(remember|keep in mind|note)( that)?[:,]? "
    r"|[,.]? ?(please )?((remember|note) (that|this|it)|keep (that|this|it) in mind|don['’]t forget( that| it)?)[.!]?$"
    r"|^(请|帮我)*(记住|记下|记一下)[，,：:]?|[，,]?(请|帮我)*(记住|记下|记一下)[。！]?$",
    re.IGNORECASE,
)
_WRONG = (
    r"(i|i['’]ve) (just )?(got|had|gave( you)?|said|told you|wrote|made|was|put|typed)\b[^:.!?;,]{0,30}"
    r"\b(wrong|mistaken?|error|incorrectly)\b( \w+){0,4}|i (have to|need to|must) correct myself|"
    r"(i|i['’]ve) (just )?(mixed|messed|muddled) [^:.!?;,]{0,20}\bup|(i|i['’]ve) (just )?mixed up( \w+){1,3}|"
    r"(one|a) thing i (got|had) (wrong|muddled|mixed up|confused)|"
    r"i (misspoke|lied|miscounted|misread|mistyped|misspelled|misremembered|phrased it badly)( \w+){0,2}|"
    r"(i|i['’]ve) (always|often|keep|kept|just) (mix(ed|ing)?|confus(e|ed|ing)|forget(ting)?|forgot|do(ing)?|"
    r"get(ting)?) [^:.!?;,]{1,25}|"
    r"auto(correct|complete)\b[^:.!?;,]{0,25}|i (was|am) off by [^:.!?;,]{1,20}|i (did|do) the ma?ths? again|"
    r"(please )?(ignore|forget|disregard) (the|what|my)\b[^:.!?;,]{1,30}|"
    r"i (just )?(swapped|confused) (the |those |two |my )?(digits|numbers|letters|dates|days|months|names|words|them)|"
    r"that was (so )?(silly|stupid|careless|my (fault|mistake))( of me)?|"
    r"(i )?typ(ed|o)( too fast| that wrong)?|tell a lie|scratch that|my bad|silly me|"
    r"that was wrong|that['’]s (not right|wrong)"
)
_WRONG_ZH = (
    r"((刚才|刚刚|前面|之前)?我?(刚才|刚刚|前面|之前)?((说|记|搞|弄|写|打|讲)错(字|了|的)*|"
    r"(老是|总是|又|都)?(说|记|搞|弄|写|打|讲|看|算|数|听|填)[错混反岔](日期|日子|时间|数字|号码|字|了|的)*(?=[，,：:。！、\s])))"
)
_SORRY = re.compile(
    r"^\W*((sorry|w?h?oops|ah|oh|ugh|argh|wait|hmm|oh dear|actually|pardon|by the way|in fact|"
    r"(no|hang on|hold on)(?=[,.:;!–—-]| (wait|sorry|actually)\b)|"
    r"((a|one) )?((small|little|quick|tiny) )?(mistake|correction|slip)( on my (side|part|end))?|"
    r"my (mistake|apologies)|my bad(?=[.,!:])|make that(?=[:,]| (a |the )?\d)|i should(['’]ve| have) (said|"
    r"written|told you)|"
    r"(let me|i (have|need|want|should|ought|must)( to)?|i['’]d like to) (fix|correct|change|put right|clear up|"
    r"rectify|amend)"
    r"( (something|one thing|a (detail|mistake|thing)|that|this|what|i|myself|said|told|you|earlier|before|here|"
    r"my)\b)*(?=[:.,])|"
    r"(one|a) (small |quick )?correction|correction|small (thing|correction)|to be (clear|exact|precise)|"
    r"i meant( to say)?(?= (?!the world)(the|a|an|my|on|at|in|it)\b|[,:])|"
    rf"(but )?({_WRONG})(?=[:.!?;,]))[,.:;!–—-]*\s+)+(?=\S)"
    rf"|^((对不起|抱歉|不好意思|不对|等等|等一下|哦|哎呀?|唉|啊|其实|更正(一下)?|纠正(一下)?|口误|[^，。：]{{0,6}}有(个|一个|点|处)?错误?|"
    rf"(刚才|刚刚|前面|之前)?手(滑|抖|误)了?|{_WRONG_ZH})[，,：:。！、\s]*)+"
    r"(?=[^，,：:。！\s])",
    re.IGNORECASE,
)
_SORRY_AFTER = re.compile(
    rf"(?:^|(?<=[.!?])|[,;–—-])\s*({_WRONG}|sorry|my mistake)(?=\s*[.!]*$)|[，,。]是?{_WRONG_ZH}(?=[。！]*$)",
    re.IGNORECASE,
)
_EXCUSE = re.compile(
    r"^\W*((and|but|because) )?((i|i['’]ve)( \w+){0,2}|(it|that)( was| just)( \w+){0,2}) "
    r"(wrong|mistake|mixed|swapped|confused|typo|forg[eo]t|silly|stupid|slip)\b( \w+){0,5}[.!]*$",
    re.IGNORECASE,
)
_SAY = r"(?:say|said|saying|write|wrote|put|tell you|told you|type|typed|mention|mentioned)"
_LEADING = r"^\W*(?:(?:wait|no|oh|ah|hang on|hold on|sorry|oops|hmm|well|actually|so|and|but)\b[,.!:]* )*"
_IN_BETWEEN = re.compile(
    r", (?:and )?(?:that['’]s|that is|that was|which is|which was) (?:not right|wrong|a mistake|incorrect)(?=[,.;])",
    re.I,
)
_DID_I_SAY = re.compile(
    rf"{_LEADING}(?:(?:where |when |what |how \w+ |which \w+ )?did) i (?:really |"
    r"just )?(?:say|write|put|type)(?: that)? (?P<wrong>[^?]+)\?\W*$",
    re.IGNORECASE,
)
_I_SAID = re.compile(
    rf"{_LEADING}(?:i think )?i(?:['’]ve)? (?:just |had |think )?{_SAY}(?: that)? (?:it was |"
    rf"it['’]s )?(?P<wrong>[^,.;?]+?)(?: (?:before|earlier))?"
    r"(?:[,;]? but (?P<but>.+)|[,;] (?P<then>(?:that|it|he|she|they)\b.+)|[.!]*)$",
    re.IGNORECASE,
)
_IS_WRONG = re.compile(
    rf"{_LEADING}(?:i (?:got|had|mixed up|gave you|have) (?P<topic>(?:my |the |"
    rf"our )?[\w'’ ]{{2,30}}?) (?:all )?(?:wrong|mixed up)"
    rf"|(?P<about>(?:the|my|our) [\w'’ ]{{2,30}}?) (?:that )?(?:i (?:gave|told|wrote|mentioned|said)[^,.]{{0,20}} )"
    r"(?:was|is|wasn['’]t|isn['’]t)(?: not)? (?:wrong|right|correct|a typo|a mistake))\W*$",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    rf"{_LEADING}what i (?:said|told you|wrote) about (?P<topic>[^,.:;?]{{2,40}}?) (?:is|was)(?:n['’]t| not)? "
    r"(?:right|wrong|correct|true|a mistake)[,.:;]+ (?P<right>.+)$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"^(?:no[,.] )?(?P<it>it|that|he|she|they)(?:(?P<is>['’]s| is|['’]re| are)\b|(?= (?:should(?:['’]ve| have)|"
    r"was meant|must)))(?: to)?(?: have)?(?: been| be)? ?",
    re.IGNORECASE,
)
_SHOULD_BE = re.compile(
    r"^(?:that|it) (?:should(?:['’]ve| have) been|was meant to be|must be|should be) ", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"^(?P<who>(?:(?:my|our|the) )?[\w’-]+?(?: [A-Z][\w’-]+)?)(?:['’]s| (?:is|are|was|were|works?|lives?|"
    r"has|have|plays?|studies|study|teaches|goes|comes|likes?)) (?P<what>.+)$"
)
_SAID_ZH = re.compile(
    r"^我?(?:刚才|刚刚|前面|之前)?我?(?:[说写讲打填](?:的是|了|成)?)(?P<wrong>[^，。？?]+?)[？?，]"
    r"(?P<right>(?<=[？?])(?:应该是|其实是|[是她他它]).+|(?:是?我?[说写搞弄打讲]错了?|不对)[，。](?P<then>.+))$"
)
_STORY = re.compile(r"\b(too|also|as well|nice|lovely|great|and)\b", re.IGNORECASE)
_ALIKE = ({"a", "an", "the", "my"}, {"in", "at", "on", "with", "from", "near", "for"})


def stripped(told: str) -> str:
    """What was told without a greeting, a word of excuse or the wish that it be remembered."""
    text = _SORRY_AFTER.sub("", _SORRY.sub("", without_greeting(told)))
    text = re.sub(r"\.{2}$", ".", _PLEASE_REMEMBER.sub("", text).strip())
    if excuses(told):
        text = " ".join(part for part in sentences(text) if not _is_excuse(part)) or text
    return text[:1].upper() + text[1:] if re.search(r"\w", text) else told


def _is_excuse(sentence: str) -> bool:
    """Whether it says only how a mistake came about: “I swapped the digits.”."""
    if values_of(sentence) or is_lasting(sentence) or is_caution(sentence) or relations(sentence) or topics(sentence):
        return False
    return _EXCUSE.match(sentence) is not None


def put_right(text: str) -> str:
    """What a correction means: “Did I say three kids? It's four, haha.” is “Sorry, it's four, not three kids, haha.”.

    The person or thing that a mistake was about takes the place of “he” or “it” in what follows.
    """
    parts = sentences(text)
    found: list[str] = []
    skip = False
    for part, after in zip(parts, [*parts[1:], ""], strict=False):
        if skip:
            skip = False
            continue
        truth, skip = _truth(part, after)
        found.append(f"{'更正一下，' if CJK.search(part) else 'Sorry, '}{truth}" if truth else part)
    return text if found == parts else " ".join(found)


def _truth(part: str, after: str) -> tuple[str, bool]:
    """What a sentence about a mistake means, and whether the next one is in it; empty for any other."""
    if chinese := _SAID_ZH.match(f"{part}{after}" if part.endswith(("？", "?")) else part):
        who = re.match(r"(?P<who>[^在是上叫姓养有]{1,4})(?=[在是上叫姓])", chinese["wrong"])
        right = chinese["then"] or chinese["right"]
        right = re.sub(r"^[他她它]", who["who"], right) if who else right
        return right, part.endswith(("？", "?"))
    part = _IN_BETWEEN.sub("", part)
    if about := _ABOUT.match(part if ":" in part or "," in part else f"{part} {after}"):
        right = re.sub(r"\b(them|they|it|he|she)\b", about["topic"], about["right"], count=1)
        return right, about["right"] in after
    asked, said, wrong = _DID_I_SAY.match(part), _I_SAID.match(part), _IS_WRONG.match(part)
    if wrong and (pronoun := _PRONOUN.match(after)):
        topic = (wrong["topic"] or wrong["about"]).strip()
        if pronoun["it"].lower() == "it" or re.search(r"['’]s? ", topic):
            return _named(after, topic), True
    if asked and after and re.search(r"\b(where|when|what|how|which)\b", part, re.IGNORECASE):
        return _named(after, re.sub(r" \w+$", "", asked["wrong"])), True
    if asked and _is_instead(after, asked["wrong"]) and not _STORY.search(after):
        return _against(after, asked["wrong"]), True
    right = (said["but"] or said["then"] or after) if said else ""
    clear = right != after or excuses(f"{part} {after}")
    if said and (_SHOULD_BE.match(right) or (clear and not _STORY.search(right) and _is_instead(right, said["wrong"]))):
        return _against(right, said["wrong"]), right == after
    return "", False


def _is_instead(right: str, wrong: str) -> bool:
    """Whether “he's a paramedic” can stand instead of “my brother's a firefighter”; “he's lovely” cannot."""
    match, clause = _PRONOUN.match(right), _CLAUSE.match(wrong)
    new, old = right[match.end() :] if match and match["is"] else "", clause["what"] if clause else wrong
    first, second = (re.match(r"\w*", text.lower())[0] for text in (new, old))  # type: ignore[index]
    if clause and clause["who"].lower() in ("i", "we") and match and match["it"].lower() not in ("it", "that"):
        return False
    kinds = {value.kind for value in values_of(f"x {new}")} & {value.kind for value in values_of(f"x {old}")}
    return any(first in words and second in words for words in _ALIKE) or bool(new and kinds)


def _named(statement: str, topic: str) -> str:
    """“He's 8.” about “Flint's age” is “Flint is 8.”; “It's the 21st.” about “the date” is “The date is the 21st.”."""
    match = _PRONOUN.match(statement)
    if match is None or not match["is"]:
        return statement
    owner = re.match(r"(?P<owner>.+?)['’]s? ", topic)
    who = owner["owner"] if owner and match["it"].lower() in ("he", "she", "they") else topic
    if who.endswith("s") and not owner and not match["is"].endswith("re"):
        return statement
    verb = " are " if match["is"].endswith("re") else " is "
    return f"{who[:1].upper()}{who[1:]}{verb}{statement[match.end() :]}"


def _against(right: str, wrong: str) -> str:
    """The right statement, and what it is not: “It's four, not three kids”."""
    right = _SHOULD_BE.sub("It's ", right)
    clause, match = _CLAUSE.match(wrong), _PRONOUN.match(right)
    what = clause["what"] if clause else wrong
    if clause and match and match["it"].lower() != "it":
        right = _named(right, clause["who"])
    head, *rest = re.split(r"(?=[,;.!])", right, maxsplit=1)
    head = re.sub(r"\bone(?= |$)", what.split()[-1], head, count=1) if re.search(r"\bthe \w+ one\b", head) else head
    return f"{head}, not {what}{''.join(rest)}"

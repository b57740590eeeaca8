"""What somebody must not have or does not like, and whether a suggestion has it all the same.

No model call. A small model that is told of an allergy to mango may well suggest mango ice cream.
"""

import re

from agents.llm.guided.words import CJK, content_words, numbers, stems

_AVOIDED = re.compile(
    r"\b(?:allergic to|allergy to|(?:can['’]t|cannot|can not|must not|may not) (?:eat|drink|stand|have)|"
    r"(?:do|does)(?:n['’]t| not) (?:eat|drink|like|care for)|hates?|dislikes?|(?:[a-z]+n['’]t|not) (?:very |too |"
    r"really )?fond of|"
    r"scared of|afraid of|never (?:eats?|drinks?|touch(?:es)?))[: ]+(?:the |any |all )*(?:(?:kind|sort)s? of )?"
    r"(?:(?:to )?(?:eat|drink)(?:ing)? )?(?P<what>[a-z][\w-]*(?:(?:,| and| or|, and|, or) "
    r"(?!(?:live|love|like|work|have|play|hate|need|want|go|am|is)\b)[a-z][\w-]*){0,3})"
    r"|对(?P<allergen>[^，。；对]{1,8}?)过敏|(?:不能?吃|不能?喝|不爱吃?|不喜欢|讨厌|怕)(?P<disliked>[^，。；的了]{1,6})",
    re.IGNORECASE,
)
_VAGUE = stems("it that this them much very being having going talking things people 东西")
_ALSO_CALLED = {
    "coriander": "cilantro",
    "cilantro": "coriander",
    "peanuts": "nuts",
    "aubergine": "eggplant",
    "香菜": "芫荽",
}
_MEAT = "meat chicken beef pork bacon ham turkey steak sausage lamb duck"
_IN = {  # what somebody does not eat, and what it is in or what is of its kind
    r"co?eliac|gluten": "wheat barley rye couscous bulgur seitan bread sandwich toast pasta beer",
    r"\bvegetarian|\bvegan|n['’]t eat (any )?meat|eats? no meat": f"{_MEAT} fish salmon tuna shrimp",
    r"\bvegan": "egg cheese milk butter honey yogurt yoghurt",
    r"allergic to (\w+ (and|or) )?(tree )?nuts|nut allergy": "almond walnut hazelnut cashew pecan pistachio peanut",
    r"lactose|dairy": "milk cheese cream yogurt yoghurt",
    r"\bnuts\b": "peanut almond walnut hazelnut cashew pecan pistachio",
    r"\bseafood|\bshellfish": "shrimp prawn lobster crab mussel oyster",
    "海鲜": "虾 蟹 鱼 贝 海参 鱿",
    "吃素|素食": "鸡 鸭 鱼 牛肉 猪肉 羊肉 虾 火腿 培根",
    "乳糖": "牛奶 酸奶",
    "坚果": "杏仁 核桃 腰果 榛子 开心果",
}
_INSTEAD = re.compile(r"(-free|\bveg\w+|\bplant(-based)?|\btofu|素|豆|无)[ -]?$", re.IGNORECASE)
_OF_PLANTS = re.compile(r"\b(soya?|almond|oat|coconut|rice|cashew) $", re.IGNORECASE)
_ELSE = ("-free", " free", "过敏", "以外", "香", "蛋")  # 鱼香茄子, 鸡蛋面
_MILKY = {"milk", "butter", "cheese", "cream", "yogurt", "yoghurt"}
_WITHOUT = re.compile(
    r"(\b(without|no|free of|free from|avoid\w*|instead of|allerg\w+|rather than|other than|intoleran\w+|stand|"
    r"dislike\w*|hates?|fond of|scared of|afraid of|isn['’]t|doesn['’]t|can['’]t(?! go wrong)|cannot|"
    r"don['’]t(?! (worry|miss|forget))|(?<!why )not(?! (miss|only)))\b([^.!?,;]{0,30}|( \w+,)+ ((or|and|nor) )?)"
    r"|(不(?![如妨错])|[无避免除替])[^，。]{0,6}|对)$",
    re.IGNORECASE,
)

_FILLERS = stems(
    "suggest suggesting recommend recommending try could should would might maybe perhaps option options choice choose "
    "choosing pick picking order ordering make making made cook bake eat eating enjoy like safe safely contain "
    "contains containing without free avoid avoiding avoids allergy allergies allergic since because dish dishes meal "
    "meals food foods recipe recipes idea ideas kind type sort good great delicious tasty nice simple easy perfect "
    "lovely special different ingredient ingredients alternative alternatives something anything instead sure diet "
    "dietary can't cannot doesn't don't isn't stand"
)
_UNKNOWING = re.compile(
    r"^\W*((i['’]m )?sorry,? )?(but )?i (don['’]t|do not) (know|have)\b|^\W*(抱歉，)?我(还)?不(知道|清楚)",
    re.IGNORECASE,
)
_FILLERS_ZH = re.compile(
    "可以|建议|推荐|试试|尝试|选择|选用|选|适合|不含|没有|避免|避开|安全|食物|食品|食材|菜品|菜肴|美食|东西|一些|一个|一款|一种|一份|任何|"
    "其他|其它|比如|例如|过敏|所以|因为|因此|注意|今天|今晚|成分|含有|健康|美味|好吃|清淡|简单|做|吃|喝|点|含|的|了|吧|呢|和|或|与|是|也|很|都|就|"
    "你|您|我|他|她|不|要|来|些|个|道|份|有|对|会|应该|最好|什么"
)


def avoided(text: str) -> tuple[str, ...]:
    """The things that a text says somebody cannot have or does not like, and what they are in."""
    found: list[str] = []
    for match in _AVOIDED.finditer(text):
        if match["what"]:
            found += [word.lower() for word in content_words(match["what"]) if not stems(word) & _VAGUE]
        else:
            thing = (match["allergen"] or match["disliked"]).strip("吃喝")
            found += [thing, thing.removesuffix("毛")]  # 猫毛: no cat either
    for kind, words in _IN.items():
        if re.search(rf"(?<!\bnot )(?<!\bnot a )(?<!\blonger )(?:{kind})", text, re.IGNORECASE):
            found += words.split()
    return tuple(dict.fromkeys(word for word in found if word))


def suggests(reply: str, things: tuple[str, ...]) -> str:
    """The first of the things that a reply suggests; what it says to leave out is none. Empty if there is none."""
    for thing in things:
        for name in (thing, _ALSO_CALLED.get(thing, "")):
            pattern = re.escape(name) if CJK.search(name) else rf"\b{re.escape(_singular(name))}(s|es|y|ies)?\b"
            for match in re.finditer(pattern, reply, re.IGNORECASE) if name else ():
                if not _is_left_out(name, reply[: match.start()], reply[match.end() :].lower()):
                    return thing
    return ""


def is_to_be_replaced(thing: str, asked: str) -> bool:
    """Whether something in place of a thing is asked for: “Is there anything like cheese for me?”."""
    instead = r"\b(?:like|instead of|replaces?|substitutes?(?: for)?|alternatives? to|in place of) (?:the |my |any )?"
    return re.search(instead + re.escape(_singular(thing)), asked, re.IGNORECASE) is not None


def names_something(reply: str, message: str, things: tuple[str, ...]) -> bool:
    """Whether a suggestion has a thing of its own: “a cake without nuts” is none where a cake was asked for."""
    if _UNKNOWING.search(reply):
        return False
    if CJK.search(reply):
        for word in things:
            reply = reply.replace(word, " ")
        runs = re.findall(rf"{CJK.pattern}{{2,}}", _FILLERS_ZH.sub(" ", reply))
        return any(run not in message for run in runs)
    if numbers(reply) - numbers(message):
        return True
    return bool(stems(reply) - _FILLERS - stems(f"{message} {' '.join(things)}"))


def _is_left_out(name: str, before: str, behind: str) -> bool:
    """Whether what stands around a name says that it is left out, or makes something else of it."""
    instead = _INSTEAD.search(before) or (name in _MILKY and _OF_PLANTS.search(before))
    return bool(instead or _WITHOUT.search(before[-60:]) or behind.startswith(_ELSE))


def _singular(word: str) -> str:
    """The word up to where it bends: cherr(y) for cherries, tomato for tomatoes."""
    word = re.sub(r"(ies|y)$", "", word) if len(word) > 4 and word.endswith(("ies", "y")) else word
    return re.sub(r"(?<=o)es$|(?<=[^s])s$", "", word)

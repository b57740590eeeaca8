"""The user's name: told first, asked for often, and kept in a line of its own, so that no other edit takes it along."""

import re

from agents.llm.guided.words import CJK, stems

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石"
    "廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔向汤"
)
_NO_NAMES = (
    "an?|the|from|not|new|back|here|so|in|at|on|fine|good|great|okay?|well|hungry|sick|ill|sorry|happy|sad|late|"
    "busy|done|pregnant|diabetic|broke|german|english|french|italian|spanish|gay|deaf|blind|trans|straight|home|just|"
    "really|very|still|also|too|only|single|vegan|vegetarian|sure|glad|lost|stuck|ready"
)
_INTRODUCTION = re.compile(
    r"\b(?i:call me) (?P<called>[A-Z][\w'’-]*)|^\W*(?i:(?:just |please )*call me) (?P<low_called>(?!later|back|"
    r"tonight|crazy)[a-z]+)(?=\W*$)"
    r"|\b(?i:my name is|my name['’]s|me llamo|je m['’]appelle|ich heiße|mi chiamo|meu nome é) "
    r"(?P<name>(?!later\b|back\b|when\b|if\b|tomorrow\b|on\b|at\b)[A-Z][\w'’-]*(?: [A-Z][\w'’-]+)?|"
    r"[^\W\d_][\w'’-]*(?=\W*$|[,.!;]| and\b| but\b| from\b)|[^\W\d_A-Za-z][\w'’-]*)"
    r"|\b(?i:my name)\b[^.!?]{3,60}: (?P<spelled>[A-Z][\w'’-]+)"
    r"|\b(?i:the name['’]s|i go by|everybody calls me|everyone calls me|changed my name to|people call me|"
    r"friends call me) (?P<goes>[A-Z][\w'’-]+)"
    r"|(?:^|[.!;,]\s)(?i:name): (?P<headed>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)"
    r"|(?:^|[.!;,] )(?i:(?:the )?name['’]s|names) (?P<names>[A-Z][\w'’-]+)(?=\W*$|[,.!;])"
    r"|^\W*(?P<speaking>[A-Z][\w'’-]+) speaking\b|^\W*(?i:(?:hi|hello|"
    r"good \w+)\W+)?(?i:this is) (?P<this>(?:(?:Mrs|Mr|Ms|Dr)\.? )?[A-Z][\w'’-]+)(?=\W*$|,(?! my\b)| from\b|"
    r" in\b| here\b)|我的名字[^，。]{2,8}[，：:]是?(?P<spelled_cjk>[\u4e00-\u9fff]{2,4})(?=[，。]|$)"
    rf"|(?:^|[，。])(?:我姓|姓)(?P<xing>欧阳|司马|诸葛|上官|[{_SURNAMES}])(?=[，。,]|$)"
    r"|^\W*(?i:(?:(?:hi|hello|hey|hiya|yo|sup|evening|morning)\b\W*)*(?:im|i['’]m|i am) )"
    rf"(?P<low>(?!(?:{_NO_NAMES})\b|\w+(?:ing|ed)\b)[a-z]{{2,}})(?=\W*$|[,.])"
    r"|^\W*(?:(?:[Hh]i|[Hh]ello|[Hh]ey|[Gg]ood (?:morning|afternoon|evening)|[Ee]vening|[Mm]orning)\b\W*)*"
    r"(?P<here>(?!Nobody|All|Still|Right|Good|Drummer|Teacher|Student|Nurse|Doctor|Driver|"
    r"Baker|Farmer|Gamer|Newcomer)[A-Z][\w'’-]+) here\b(?! (?:is|was|are|it)\b)"
    r"|(?:^|[.!] )(?P<list>[^\W\d_]{2,}), \d{1,2}(?=,(?! (?:is|was|has|are)\b))"
    r"|\b(?:intro\w*|background)\b[^:]{0,25}: (?P<intro>(?:Dr\. )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*)(?=,)"
    rf"|介绍一下(?:我?自己)?[：，]?(?P<intro_cjk>[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=[，,])"
    r"|\bme \((?P<me>[A-Z][\w'’-]+)\)|\b[Ii]t['’]s (?P<its>[A-Z][\w'’-]+)(?= by the way|[^.!?]*\bname\b)"
    r"|\b(?:I['’]?m|I am|i['’]?m|i am) (?P<weak>(?:Dr\. )?[A-Z][\w'’-]*(?: [A-Z][\w'’-]+)?)(?=\W*$|[.,!;]| and\b)"
    r"|我是(?P<short_cjk>(?!小[白号孩学]|老[手外人板师大])[小阿老][\u4e00-\u9fff])(?=[，。！,]|$)"
    r"|我是(?P<aged_cjk>(?!单身|宝[妈爸]|已婚|未婚|离异|独生|社恐|全职|新手|男|女)[\u4e00-\u9fff]{2,3})(?<![生员师人家者手工座领管长理])"
    r"(?=[，,] ?(?:今年)?[\d一二三四五六七八九十]{1,3}岁)"
    rf"|我是(?P<weak_cjk>[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?<![生员师人家者手工座领管])(?=[，。！,.!\s]|$)"
    r"|(?:我叫(?![了他她它你我外])|我的名字是|我的名字叫|叫我(?![了他她它你起去来吃回下上做出])|"
    r"(?:^|(?<=[，。；！ ]))名字叫)(?P<cjk>[\u4e00-\u9fff·]{1,6}?)(?=[，。！？,.!?\s]|就|吧|好了|$)"
)
_SAID = ("headed", "names", "goes", "called", "name", "cjk", "its", "spelled", "spelled_cjk")
_WEAK = (
    "low_called",
    "weak_cjk",
    "short_cjk",
    "aged_cjk",
    "low",
    "here",
    "list",
    "intro",
    "intro_cjk",
    "me",
    "speaking",
    "this",
    "xing",
)
_DEMONYM = re.compile(
    r"^(Canadian|Indian|Norwegian|Colombian|Filipin[oa]|Iraqi|Pakistani|Afghan|Cuban|Basque|Kiwi|Israeli|Saudi|"
    r"Nepali|Kenyan|"
    r"Nigerian|Ghanaian|Ethiopian|Moroccan|Tunisian|Syrian|Iranian|Palestinian|Egyptian|Brazilian|Peruvian|Chilean|"
    r"Australian|Romanian|Bulgarian|Hungarian|Ukrainian|Catholic|Protestant|Muslim|Jewish|Hindu|Buddhist|Sikh|"
    r"Capricorn|Aquarius|Pisces|Taurus|OK|Okay|Mum|Mom|Dad)$|(ese|ish|ench|utch|eek|elsh|wiss|zech|thai|erman|"
    r"[aeilrst]ian|ican|ussian|talian)s?$",
    re.I,
)
_CALLED_ZH = re.compile(r"(?:叫|姓名：)([\u4e00-\u9fff]{2,3})(?=[，。、,.\s]|$)")
_INTRO = re.compile(
    r"^[^:.!?\n]{0,40}\b(?:intro\w*|background)\b[^:.!?\n]{0,30}: (?=[A-Z])|^[^：。\n]{0,4}介绍一下(?:我?自己)?[：，]",
    re.IGNORECASE,
)
_HEADING = re.compile(r"(user['’]?s? )?name\s*[:：]|姓名\s*[:：]|名字\s*[:：]", re.IGNORECASE)


def given_name(message: str, *, renames: bool = False) -> str:
    """The name the speaker gives as theirs; empty if they give none. “I'm German” is not taken for one.

    `renames`: only where they say that it is their name, since another one is known: not for “It's Bo.”
    """
    for match in _INTRODUCTION.finditer(message):
        name = next(
            (match.group(key) for key in (_SAID if renames else (*_SAID, *_WEAK)) if match.group(key)),
            "",
        )
        weak = match.group("weak") or ""
        if weak and not renames and not is_demonym(weak):
            name = weak
        if name:
            return name[:1].upper() + name[1:]
    return ""


def chinese_names(text: str) -> set[str]:
    """The names that a Chinese text says somebody has: “孙子叫豆豆”."""
    return set(_CALLED_ZH.findall(text))


def is_demonym(word: str) -> bool:
    """Whether a word with a capital letter says of what people or faith somebody is: “German”."""
    return _DEMONYM.search(word) is not None


def noted_name(note: str, message: str) -> str:
    """The name that a note gives as the user's, if the message has it; else empty."""
    match = re.match(rf"(?:{_HEADING.pattern})\s*(?P<noted>[^\W\d_][\w'’-]*)", note, re.IGNORECASE)
    return match["noted"] if match and match["noted"] in message else ""


def is_name_line(line: str) -> bool:
    """Whether a line is the one that holds the name, known or not."""
    return _HEADING.match(line) is not None


def name_lines(name: str, note: str) -> str:
    """The name in its line, and below it what else the note says."""
    line = f"姓名：{name}。" if CJK.search(name) else f"Name: {name}."
    rest = _without_name(name, note)
    return f"{line}\n{rest}" if stems(rest) - stems(name) else line


def _without_name(name: str, note: str) -> str:
    before = rf"(?:{_HEADING.pattern}|the user(?:['’]s name)? is |it['’]s |this is |是|叫|用户叫|姓)?"
    note = _INTRO.sub("", note)
    begun = rf"^{before}\s*{re.escape(name)}(?:[.,，。;]| and\b|\b(?=\s)|(?=是))\s*"
    rest = re.sub(begun, "", note, count=1, flags=re.IGNORECASE).strip(" ,，")
    rest = re.sub(r"^(?:here|speaking)\b[,.! ]*|^by the way\b[,. ]*", "", rest, flags=re.IGNORECASE)
    rest = re.sub(r"^(\d{1,2})(?=\.?$|\.?\n)", r"Age: \1", rest)
    aged = re.match(r"(?P<age>\d{1,2}), (?P<what>[^\W\d].*)$", rest, re.DOTALL)
    if aged:
        return f"Age: {aged['age']}.\n{aged['what'][:1].upper()}{aged['what'][1:]}"
    return rest[:1].upper() + rest[1:]

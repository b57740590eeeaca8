"""Signs in a text, found by word lists: who speaks of whom and what for.

English and Chinese; first-person words also in some other languages. A sign that is missed costs a guard, never a
wrong write: the lists only narrow what the model may do.
"""

import re

from agents.llm.guided.values import values_of
from agents.llm.guided.words import CJK, mentions, numbers, sentences


def words_like(*parts: str) -> re.Pattern[str]:
    """One pattern of all parts, in small or large letters."""
    return re.compile("|".join(parts), re.IGNORECASE)


_PERSONAL = words_like(
    r"\b(i|my|me|mine|myself|we|our|us|ich|mein\w*|mir|mich|wir|unser\w*|je|j['’]\w+|mon|ma|mes|moi|nous|nos|notre)\b",
    r"\b(yo|mi|mis|nosotros|eu|meu|minha|meus|minhas|io|mio|mia|miei|ik|mijn|jag|min|mitt|mina|ja|moja|mój)\b",
    r"\b(мой|моя|мои|мне|меня|я)\b",
    "我|咱|俺|私|僕",
)
_RELATIONS = words_like(
    r"\b(sister|brother|mother|mom|mum|father|dad|wife|husband|partner|girlfriend|boyfriend|son|"
    r"daughter)\b(?![- ]in[- ]law)",
    r"\b(child(ren)?|kids?|friend|boss|colleague|neighbou?r|cousin|uncle|aunt|grand\w+|parents?|dog|"
    r"cat)\b(?![- ]in[- ]law)",
    "姐|妹|哥|弟|妈|母|爸|父|妻|老婆|老公|媳妇|丈夫|先生|太太|爱人|老伴|孙(?=子|女|儿)|儿子|女儿|闺女|孩子|朋友|老板|同事|邻居|表|叔|姑|奶|爷|狗|猫",
)
_INTRODUCTION = words_like(
    r"\b(my name is|my name['’]s|call me|(i['’]?m|i am|this is|it['’]s) (?-i:[A-Z][a-z]+)(?! (time|day)))\b",
    r"(?:^|[.!] )[^\W\d_]{2,}, \d{1,2}(?=,)|\b[A-Z]\w+ here\b|\b(intro\w*|background)\b[^:]{0,25}:|\bme \([A-Z]\w+\)",
    r"\b(me llamo|je m['’]appelle|ich heiße|mein name ist|mi chiamo|meu nome é)\b",
    "我叫|我的名字|我姓|叫我|名字叫|介绍一下(我?自己)?[：:]",
)
_ADVICE = words_like(
    r"^\W*((so|and|but|well|ok) )*(can|could|may|should|shall) (i|we)\b(?! (find|see|look))",
    r"\b(what|where|which|how|when|who)\b.{0,40}\b(should|shall) ([A-Z]\w+ and |my \w+ and )?(i|we)\b(?! call you)",
    r"\b(what|where|which|how|when|who)\b.{0,40}\b(could|would|can|may) "
    r"([A-Z]\w+ and |my \w+ and )?(i|we)\b(?! (find|see|call you))",
    r"\b(would|do) you (pick|choose|order|go for|take)\b",
    r"\b(recommend|suggest|advice|advise|ideas?)\b",
    "要(带|买|准备|注意)些?什么|我们?(可以|能|能不能|可不可以|应该|该|要不要)|推荐|建议|主意|点子|什么[^，。？]{0,6}(好|合适)[呢啊]?[？?。]*$|有什么.{0,12}(办法|方法|窍门)",
)
_STYLE = words_like(
    r"\b(please|always|never|don['’]?t|do not|from now on|keep|be|stop|try to)\b.{0,40}"
    r"\b(answers?|repl(y|ies)|respon(d|ses?)|(talk|speak|write|talking) to me|address me|call me|emojis?|tone|"
    r"sentences|with me|to me)\b",
    r"\b(answers?|repl(y|ies)|sentences)\b.{0,40}\bfrom now on\b",
    "(请|以后|从现在|别|不要).{0,12}(语气|回答|回复|说话|聊天|称呼|表情)",
)
_HEALTH = words_like(
    r"allerg|intoleran|diabet|co?eliac|vegetarian|vegan|pregnan|asthma|halal|kosher|gluten",
    r"\bmigraines?\b|\bnever (eats?|drinks?|touch)|\bmakes? (me|them) (ill|sick)\b",
    r"\b(do(es)?n['’]t|do(es)? not|can['’]t|cannot|can not|must not|not) (eat|drink)\b",
    r"\bblood (pressure|sugar)\b|\bcholesterol\b",
    "不能?吃|不能?喝|血糖|血压|血脂|胆固醇|过敏|不耐|糖尿|素食|怀孕|哮喘|忌口|(腰|背|膝盖|头|胃|腿|肩|脖子|牙)[^，。]{0,3}[疼痛酸]|不舒服|失眠",
)
_DISLIKE = words_like(
    r"\b(can['’]t|cannot|can not) stand\b|\b(hates?|dislikes?|do(es)?n['’]t (like|care for)|do(es)? not like)\b",
    "讨厌|不喜欢|不爱|不吃|受不了",
)
_FOOD = words_like(
    r"\b(eat\w*|drink\w*|food|dinner|lunch|breakfast|brunch|dessert|snacks?|cook\w*|bak(e|ing)|recipes?|meals?)\b",
    r"\b(dish(es)?|menu|restaurants?|cafes?|order|cakes?|cheese|milk\w*|ice cream|pizza|pasta|soup|salad)\b",
    r"\b(sauce|chocolate|wine|beer|picnic|party|barbecue|catering)\b",
    r"\b(can|could|may|should) i (have|try)\b",
    "吃|喝|菜|饭|餐|甜点|零食|食谱",
)
_SAD = words_like(
    r"\b(died|passed away|death|funeral|cancer|hospital|ill|sick|fired|laid off|broke up|divorc\w+|accident|lost my)\b",
    "去世|过世|生病|住院|癌|失业|分手|离婚|车祸",
)
_LASTING = words_like(
    r"\b(i|we)( (also|really|usually|always|often|never|do not|don['’]t|only|still|can['’]t|cannot))* "
    r"(like|love|hate|prefer|enjoy|dislike|stand|play|work|live|study|teach|own|drive|speak|run|go|collect|keep|learn|"
    r"volunteer|swim|eat|drink|have (a|an|two|three|four|five|no)|grew up|was born|come from|was diagnosed)"
    r"\b(?! (it|that|this|your|you|the idea)\b)",
    r"\b(i['’]m|i am) [a-z]+-[a-z]+(?=\W*$)",
    r"\b(i['’]m|i am|we['’]re|we are) "
    r"(a|an|from|allergic|vegan|vegetarian|married|divorced|single|moving|getting|\d+)\b",
    r"\b(my|our) [\w ]{2,30}\b(is|are|was|lives?|works?|has|have|plays?|studies|turns?|starts?|called|named)\b",
    r"^\W*((hi|hey|hello|hiya|evening|morning|yo)\W+)*(im|ive|studying|based in|working (at|as|in)|living in) \w",
    "我是.{1,10}的(?=[，。]|$)|我在.{1,6}(?=[，。]|$)",
    "我[^，。？]{0,8}(喜欢|讨厌|爱|住|养|有[一两二三四五]|是[一个名]|叫|来自|每|学|教|在.{1,8}(工作|上班|上学)|打算|计划)",
    "我.{0,4}(过敏|吃素|怀孕)",
    "我的?(女儿|儿子|妈妈|爸爸|妻子|老婆|老公|丈夫|哥哥|弟弟|姐姐|妹妹|猫|狗|生日|朋友).{0,8}(叫|是|在|住|今年)",
)
_OF_ONESELF = re.compile(r"^\W*(I|I['’]m|we|we['’]re)\b|^我们?", re.IGNORECASE)
_VERBS = (  # with which a note about the user begins
    "Has|Is|Was|Will|Would|Can|Used|Keeps|Plays|Teaches|Works|Lives|Likes|Loves|Drives|Speaks|Studies|Runs|Swims|Reads|Cooks|"
    "Paints|Sings|Rows|Grows|Makes|Takes|Gets|Goes|Does|Wants|Needs|Collects|Writes|Rides|Rents|Owns|Uses|Eats|Drinks|Enjoys|"
    "Hates|Prefers|Sells|Sews|Knits|Bakes|Builds|Looks|Leads|Manages|Trains|Learns|Volunteers|Weighs|Shares|Comes|Also|"
    "Never|Always|Often|Usually|No|Not|On|In|At|Every|Before|There|It|This|That|They|We"
)
_OF_A_THIRD = re.compile(
    rf"(?!The user|Name|Age|Home|Work|(?:{_VERBS}|\w+ed|\w+ing)\b)[A-Z][\w'’-]+ "
    r"(is|was|has|hurt|got|left|took|went|broke|handed|moved|[a-z]+s)\b"
)
_OF_ONES_OWN = re.compile(r"^\W*(my|our|it|it['’]s|that|moved|turned|quit|started|now)\b|^现在", re.IGNORECASE)
_CORRECTION = words_like(
    r"^\W*(no|wait|no wait)\b[, ]|^\*",
    r"\b(don|doesn)['’]t (?P<verb>[a-z]+) \w+[,.;:]? (but )?(i|he|she|we|they) (?P=verb)",
    r"\b(actually|sorry|oops|whoops|wrong|mistaken?|mixed|misspoke|mistyped|typo|typed|meant|correct(ion|ed)?|in fact|"
    r"rather than|instead of|tell a lie|scratch that|make that|confused|confusing|my bad|silly me|"
    r"slip|miscount(ed|ing)|misread|swapped|silly of me|should(['’]ve| have) (said|written|told|been)|misspel\w+|"
    r"mis(remembered|took)|wrong way round|(spelled|spelt)|nonsense|muddled|"
    r"(shouldn['’]t|should not) have (said|written))\b",
    r"\b(is|are|am|was|were|it['’]s|i['’]m|he['’]s|she['’]s|,|but|and) not\b|, not\b",
    r"\b(isn|aren|wasn)['’]t\b[^.!?\n]{0,80}\b(it|he|she|i|they|but)\b",
    "[说记搞弄写打讲看算数听填][错混反岔串]|手[滑抖误]|不对|不准|有(个|一个|点|处)?错|有误|其实|更正|纠正|口误|不是.{1,12}(是|，|。|$)|应该是",
)
_SLIP = words_like(  # may excuse a mistake, and may be about anything
    r"\b((always|keep|kept|just) (mix|mixing|confus\w+|forget|forgetting|forgot)|forgot to count|"
    r"auto(correct|complete)|"
    r"was too \w+|scrap (that|what|it)|not right|(was|is)n['’]t right|(wrote|put|typed) (it|that)|phrased it|"
    r"(ignore|forget|disregard) (the|what|my)|have me down as)\b",
    "[说写记]成|[多少][算写数说报]|漏了|记不住",
)
_CHANGE = words_like(
    r"\b(now|no longer|any ?more|any longer|instead|moved|changed?|switched|became|become|quit|left(?! (?:my|the|"
    r"an?|it|some|our)\b[^.,]* (?:on|in|at|behind)\b)|stopped|started|turned|"
    r"used to|gave up|given up|sold|from now on|got (married|divorced|engaged)|divorced|these days|nowadays|postponed|"
    r"rescheduled|dumped|broke up|split( up)?|is (history|over|gone)|retired|died|passed away|hired|fired|laid off|"
    r"raised|went up|cut (down|back)|reduced|increased|doubled|(down|up) to|stole|put (me|us) on|"
    r"gave (me|us) the (day|night|early|late)|stands? at|hit|reached|put .{1,20} (up|off)|swapped|"
    r"gone (full|part)[- ]time|gone (vegan|vegetarian)|replaced|upgraded|back to|no more|goodbye|cancel(l?ed)?|"
    r"called off|came off|"
    r"dropped|finished|took over|extended|more (days|weeks|months)|stolen|"
    r"new (phone|number|job|address|email|boss|manager|landlord|flatmate|school|company|position|role|doctor|coach)|"
    r"(from|starting|since) (this|last|next) (week|month|year)|since (last )?(yesterday|today|\w+day))\b",
    r"['’]s off\b(?! (to|sugar|work)\b)",
    r"\bleaves (me |us )?(with )?(just |only )?(\d+|one|two|three|four|five|six|seven|eight|nine|ten)\b"
    r"(?! ?(am|pm|o['’]|:))",
    "转专业|转行|现在|不再|搬到|搬去|搬走|搬家|改|换|变成|辞|离开|离了?婚|戒|已经|从今|推迟|提前|不.{1,8}了|涨|降|起要|分手|退休|去世|过世|毕业|"
    "转到|转去|调到|升|取消|放弃|一共|停了|关门|倒闭|谈恋爱了|脱单|被.{0,3}偷|丢了|新买|只剩|减了",
)
_ENDING = words_like(  # of somebody or something that is named
    r"\b(retired|died|passed away|left|moved out|dumped|dropped|came off|(gave|given) up|broke up|split( up)?|"
    r"is (history|over|gone)|quit|closed)\b",
    "退休|去世|过世|搬走|走了|分手|关门|倒闭|离开",
)
_DEPARTURE = words_like(r"\b(moved out|broke up|split up|passed away|died|left (me|us))\b")
_PLAN = words_like(
    r"\b(going to|will|shall|might|(?-i:may)|plan(s|ning|ned)? (to|on|for|a|is)|want(s)? to|would like to|"
    r"hop(e|es|ing) to|intend\w*|"
    r"think(ing)? (of|about)|consider(s|ing)?|dream(s|ing)? of|next (week|month|year|spring|summer|autumn|fall|winter)|"
    r"soon|tomorrow|someday|one day|about to|mov(e|ing) (to|in|out)|"
    r"(am|are|is|['’]m|['’]re|['’]s) (moving|starting|leaving|getting|changing|switching))\b|['’]ll\b",
    "打算|计划|准备|想去|想要|想搬|想换|将要|将会|将在|要去|要搬|要换|下个?月|下周|下个?星期|明年|明天|后年|以后想",
    "希望|即将|快要|考虑",
)
_TOPICS = {  # what a person has one of: telling a new one makes the old line untrue
    "home": words_like(
        r"\b(live[sd]?|living|relocat\w+|resid\w+|based in|home ?town|home:)\b|\bis home\b",
        r"^(Age: )?\d+, from (?-i:[A-Z])",
        r"(?<!been )(?<!was )(?<!were )\bmov(e|ed|es|ing)\b(?! (me|him|us|them|my|the|it|up|on)\b)",
        "住|搬|定居|人在|在哪[个座]城市",
    ),
    "work": words_like(
        r"\b(?<!to )(works?|worked|working)\b(?! (from home|on|at home)\b)",
        r"\b(nights?|days?|early|late) shifts?\b|\b(on|works?|working) (nights|days)\b",
        r"\bquit (my job|the job|work\b|the (?!gym|choir|club|team|class|course|band)|(?-i:[A-Z]))|\b(jobs?|"
        r"hired|employ\w+|occupation|profession|career|nurse|teacher|doctor)\b",
        r"\b(i['’]m|i am|joined|started) (now )?(at|with) (?-i:[A-Z])",
        r"\b(engineer|driver|lawyer|student|manager|developer|designer|accountant|chef|programmer|librarian|baker|cook|"
        r"waiter|waitress|barista|plumber|electrician|carpenter|mechanic|hairdresser|journalist|architect|photographer|"
        r"translator|secretary|cashier|farmer|gardener|painter|dentist|vet|pharmacist|scientist|editor|illustrator)\b",
        "[夜白日早晚中]班|坐班|船员|教(?=[^育会我你您他她])|护士|老师|教师|医生|工程师|律师|司机|会计|程序员|学生|经理|设计|插画|摄影|编辑|记者|厨师|销售|客服|翻译|警察|工作|上班|就职|职业|跳槽|入职",
    ),
    "marriage": words_like(
        r"\b(single|married|divorced|engaged|widow\w*|separated)\b",
        "单身|已婚|未婚|结婚|离婚|订婚|没.{0,2}对象|恋爱|脱单",
    ),
    "age": words_like(
        r"\b(years old|aged?|turned \d+|(i['’]m|i am) \d{1,2}(?= *(now|$|[.,]| and| years)))\b",
        r"\b[A-Z]\w+(['’]s| is| are) (already |now )?\d{1,2}(?= *(now|$|[.,!]| and| years))|[A-Z]\w+, \d{1,2}(?=[,.])",
        "岁",
    ),
    "smoking": words_like(r"\bsmok\w+\b|\bcigarettes?\b", "烟"),
    "weight": words_like(r"\bweigh\w*\b|\b\d+ ?(kg|kilos?)\b", "体重|公斤"),
    "birthday": words_like(r"\bbirthdays?\b|\bturns? \d+|\b(was|is|were) born\b", "生日|出生"),
    "study": words_like(
        "[学念读]的是",
        r"\b(stud(y|ies|ied|ying)|majors?|subjects?|degree|ph\.?d|thesis|supervis\w+|(my|what) field)\b",
        "专业|主修|攻读|读研|读博|导师|学院|[读学].{1,4}系",
    ),
    "savings": words_like(r"\b(savings?|saved|put .{1,20} aside)\b", "存款|存了|攒"),
    "wedding": words_like(r"\b(weddings?|marry(ing)?|marries|getting married)\b", "婚礼|结婚"),
    "deadline": words_like(
        r"\b(deadline|due|(done|finished|handed in|submitted) by|hand in|submit)\b", "截止|交稿|期限"
    ),
    "origin": words_like(
        r"\b(gr[eo]w up|childhood|(was|were|am) born|raised|come from|home ?town)\b", "长大|老家|出生"
    ),
    "medicine": words_like(
        r"\b(medic(ine|ation)s?|pills?|tablets?|ibuprofen|paracetamol|aspirin|insulin|antibiotics?|painkillers?)\b",
        "吃药|药片|药|胰岛素|布洛芬",
    ),
    "rent": words_like(
        r"\b(rent|landlord|landlady|pay for (the|my) (flat|apartment|room|house))\b", "房租|租金|房东|合租"
    ),
    "diet": words_like(r"\b(vegan|vegetarian|eats? (meat|fish))\b", "吃素|素食|吃荤"),
    "car": words_like(
        r"\b(car|van)s?\b|\bdr(ive|ives|iving|ove) (a|an|my|the|our|their) (?!bus|taxi|train)",
        r"\b(toyota|ford|skoda|volkswagen|vw|fiat|renault|honda|hyundai|kia|mazda|nissan|bmw|audi|mercedes|volvo|opel|"
        r"peugeot|tesla|subaru|suzuki|dacia|mitsubishi|jeep|chevrolet|vauxhall|citro[eë]n)\b",
        "车|丰田|本田|比亚迪|特斯拉",
    ),
    "commute": words_like(
        r"\b(cycl|bik|walk|driv)(e|es|ing|s) to (the |my )?(office|work|school|university|college)\b|\bcommut",
        r"\b(takes?|rides?|catch(es)?) the (metro|subway|bus|train|tram|tube)\b|\bget to work\b",
        "(骑车|坐地铁|坐公交|开车|走路)(去)?上[班学]",
    ),
    "seat": words_like("同桌|座位|坐.{0,2}一[起块]"),
    "bike": words_like(r"\b(bike|bicycle|motorbike|scooter)s?\b", "自行车|摩托|电动车"),
}
# What changes by itself: a new one takes the place of the old one, whatever is said beside it.
AGEING = {"age", "weight"}
# Topics that are the user's also where nobody is named.
THINGS = {
    "weight",
    "smoking",
    "study",
    "medicine",
    "rent",
    "diet",
    "car",
    "bike",
    "commute",
    "seat",
    "deadline",
    "savings",
    "wedding",
}


_KINDS = (  # what stands in notes for a word that a question has
    (words_like(r"\b(pets?|animals?)\b"), "cat dog rabbit hamster parrot fish bird horse"),
    (words_like(r"\b(kids?|child(ren)?|boys|girls)\b"), "son sons daughter daughters boy girl"),
    (words_like(r"\bsiblings?\b"), "brother sister"),
    (words_like(r"\bparents?\b"), "mother father mum mom dad"),
    (words_like("宠物"), "猫 狗 兔子 仓鼠 鹦鹉"),
    (words_like("孩子"), "儿子 女儿"),
)


def kinds_of(question: str) -> str:
    """Words for the kinds of what a question asks for: cat and dog, where it asks for pets; empty for most."""
    return " ".join(kinds for pattern, kinds in _KINDS if pattern.search(question))


def is_personal(text: str) -> bool:
    """Whether the speaker speaks of themselves."""
    return _PERSONAL.search(text) is not None


def introduces(text: str) -> bool:
    """Whether the speaker says who they are."""
    return _INTRODUCTION.search(text) is not None


def asks_advice(text: str) -> bool:
    """Whether the speaker asks what they may or should do."""
    return any(_ADVICE.search(sentence) is not None for sentence in sentences(text))


def sets_style(text: str) -> bool:
    """Whether the speaker says how they want to be talked to."""
    return _STYLE.search(text) is not None


def is_caution(line: str) -> bool:
    """Whether a note matters for advice: allergy, diet, pregnancy."""
    return _HEALTH.search(line) is not None


def is_dislike(line: str) -> bool:
    """Whether a note says what somebody does not like."""
    return _DISLIKE.search(line) is not None


def is_about_food(text: str) -> bool:
    """Whether the text speaks of eating or drinking."""
    return _FOOD.search(text) is not None


def is_sad(text: str) -> bool:
    """Whether the text tells of a misfortune."""
    return _SAD.search(text) is not None


def is_lasting(text: str) -> bool:
    """Whether the speaker tells something of their life that will still be so tomorrow."""
    return _LASTING.search(text) is not None


def tells_plan(text: str) -> bool:
    """Whether the speaker tells of what they are going to do, with a name, a day or a person in it."""
    return is_plan(text) and is_personal(text) and bool(values_of(text) or relations(text))


def is_correction(text: str) -> bool:
    """Whether the speaker takes back something that was wrong."""
    return _CORRECTION.search(text) is not None


def excuses(text: str) -> bool:
    """Whether the speaker may excuse a mistake: enough to exchange a value, not for a line to give way."""
    return is_correction(text) or _SLIP.search(text) is not None


def is_change(text: str) -> bool:
    """Whether the speaker tells that something is different now."""
    return _CHANGE.search(text) is not None


def is_ending(text: str) -> bool:
    """Whether the speaker tells that somebody left or something is over."""
    return _ENDING.search(text) is not None


def is_departure(text: str) -> bool:
    """Whether the speaker tells that somebody is not with them any more."""
    return _DEPARTURE.search(text) is not None


def is_plan(text: str) -> bool:
    """Whether a text speaks of what is to come, which leaves what is so now as it is."""
    return _PLAN.search(text) is not None


def topics(text: str) -> set[str]:
    """Which of the things a person has one of the text speaks of: home, work, marriage, age."""
    return {topic for topic, pattern in _TOPICS.items() if pattern.search(text)}


def is_of_the_speaker(statement: str) -> bool:
    """Whether a statement begins with the speaker or what is theirs, so that its topic is theirs as well."""
    return bool(_OF_ONESELF.match(statement) or _OF_ONES_OWN.match(statement))


def is_of_oneself(statement: str) -> bool:
    """Whether a statement begins with “I” or “we”."""
    return _OF_ONESELF.match(statement) is not None


def is_of_a_third(line: str) -> bool:
    """Whether a line begins with somebody's name: “Flint is a collie.”."""
    return _OF_A_THIRD.match(line) is not None


def is_on_topic(line: str, question: str) -> bool:
    """Whether a line tells what is asked for, of the same person: “Based in Bonn.” for “Where do I live?”."""
    if not topics(line) & topics(question):
        return False
    whom = relations(question) | {value.key for value in values_of(question) if value.kind == "name"}
    if whom:
        return any(mentions(line, one) for one in whom)
    return not relations(_begin(line)) and (_OF_A_THIRD.match(line) is None or bool(topics(line.split()[0])))


def relations(text: str) -> set[str]:
    """Whom a text speaks of besides the speaker: sister, boss, dog."""
    return {match.group().lower() for match in _RELATIONS.finditer(text)}


def is_of_somebody_else(line: str, statement: str) -> bool:
    """Whether a line is about a relative or a pet (“Daughter turned 7.”) and the statement about the speaker."""
    return bool(relations(_begin(line))) and not relations(statement) and _OF_ONESELF.match(statement) is not None


def begins_with_relative(line: str) -> bool:
    """Whether a line is about a relative or a pet: “Son Gareth lives in Bristol.”."""
    return bool(relations(_begin(line)))


def _begin(line: str) -> str:
    return line[:6] if CJK.search(line) else " ".join(line.split()[:2])


def numbers_about(question: str, texts: list[str]) -> set[str]:
    """The numbers an answer may use: all of the texts', but for a question about someone else only those about them."""
    subjects = relations(question)
    units = [unit for text in texts for unit in sentences(text)]
    if subjects:
        linked = subjects.union(*(called(unit, one) for unit in units for one in subjects))
        about = [unit for unit in units if any(mentions(unit, one) for one in linked)]
        units = about if numbers(" ".join(about)) else units
    return numbers(" ".join(units)) | numbers(question)


def called(unit: str, relation: str) -> set[str]:
    """The name, in small letters, that follows a word such as “husband” or “sister is called”."""
    if CJK.search(relation):
        return set()
    pattern = rf"{re.escape(relation)}(?:\W+(?:is|called|named|name)\b){{0,3}}\W{{1,3}}(?-i:([A-Z]\w+))"
    return {match.lower() for match in re.findall(pattern, unit, re.IGNORECASE)}

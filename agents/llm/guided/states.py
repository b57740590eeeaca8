"""A state that a line tells of, and what tells that it is over: “Single.”, “I'm seeing someone.”."""

from agents.llm.guided.signs import relations, words_like
from agents.llm.guided.values import values_of
from agents.llm.guided.words import CJK, mentions, stems

_STATES = (  # a state, and what tells that it is over
    (
        words_like(r"\bsingle\b(?! (mum|mom|mother|father|dad|parent))", "单身"),
        words_like(
            r"\b(seeing someone(?! about)|in a relationship|got together|my new (boy|girl)friend)\b",
            "有(女|男)?(朋友|对象)了|谈恋爱",
        ),
    ),
    (
        words_like(r"\b(pregnant|expecting|due in)\b", "怀孕|怀着孕|怀了孕|怀上|预产期"),
        words_like(r"\b(was|were) born\b|\bgave birth\b|\bbaby (is|has) (here|arrived)\b", "出生了|生了"),
    ),
    (
        words_like(r"\b(unemployed|out of work|looking for (a job|work)|between jobs)\b", "失业|待业|找工作"),
        words_like(
            r"\b(working again|new job|got (a|the) job|hired|start(ed)? (work(ing)?|a job|at))\b",
            "找到了?工作|上班了|入职",
        ),
    ),
    (
        words_like(r"\b(kindergarten|nursery|preschool)\b", "幼儿园"),
        words_like(r"\b(started school|first grade|goes to school)\b", "上小学|一年级"),
    ),
    (
        words_like(
            r"\b(study|studies|studying|prepar\w+|train(s|ing)?|learn\w*) for\b.*\b(exam|test|licen[cs]e|bar)\b",
            "准备考|备考|在学车",
        ),
        words_like(r"\b(i|we)( just)? passed\b|\blicen[cs]ed\b", "考过了|考上了|到手|拿到"),
    ),
    (
        words_like(
            r"\b(?:goes to|studies at|attends|is at|student at) (?:\w+ )?(?:university|uni|college|school)\b",
            "[念读上][大高初][一二三四]|在读|[念读上]大学",
        ),
        words_like(
            r"\b(?:i|we)(?:['’]ve| have)?(?: just)? (?:graduated|finished (?:school|uni|university|college))\b",
            "毕业[了啦]",
        ),
    ),
    (words_like(r"\blives? alone\b", "一个人住|独居"), words_like(r"\bmoved in\b", "搬来|一起住")),
)
_WITH_ME = words_like(
    r"\b(with (me|us)|my new (boy|girl)friend|our|a (boy|girl)friend)\b", "[跟和]我|有.{0,2}朋友|是个"
)
_BORN = words_like("^生了")
_EXAM = words_like(r"\b(exam|test|licen[cs]e|bar)\b", "考")


def is_over(line: str, statement: str) -> bool:
    """Whether a statement tells that the state that a line speaks of is over: “Single.”, “I'm seeing someone.”."""
    named = [value.key for value in values_of(f"_{line}") if value.kind == "name"]
    known = any(mentions(statement, name) for name in named) or bool(
        CJK.search(line) and stems(line) & stems(statement)
    )
    if relations(line) and not (known or relations(line) & relations(statement) or _BORN.search(statement)):
        return False
    if relations(statement) - relations(line) and not known and not _WITH_ME.search(statement):
        return False
    if _EXAM.search(line) and not stems(line) & stems(statement):
        return False
    return bool(state_over(line, statement))


def state_over(line: str, statement: str) -> str:
    """The word of a line for the state that the statement tells to be over; empty for none."""
    over = (state.search(line) for state, event in _STATES if event.search(statement))
    return next((match.group() for match in over if match), "")

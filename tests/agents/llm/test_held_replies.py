"""Guided mode holds replies to the notes, suggestions to what somebody cannot have, and reads what corrections mean."""

import pytest

from agents.llm.guided import stream
from agents.llm.guided.asking import asks_for_ideas
from agents.llm.guided.avoiding import avoided, names_something, suggests
from agents.llm.guided.evidence import evidence, notes_give, quoted, stands_on
from agents.llm.guided.excuses import put_right
from agents.llm.guided.recounting import to_the_user
from agents.llm.guided.values import same_value, values_of
from agents.llm.types import ReplyDelta
from tests.agents.llm.test_guided import SmallModel, prompt, says, step


@pytest.mark.parametrize(
    ("notes", "question", "reply", "holds"),
    [
        ("Works night shifts.\nHas a cat.", "Which shifts do I work?", "You work night shifts.", True),
        ("From this week on the user is on day shifts, no more nights.", "Which shifts do I have?", "Nights.", False),
        (
            "Bo died last week, so they only have Kit.\nBefore: two cats, Bo and Kit.",
            "What pets do I have?",
            "Bo.",
            False,
        ),
        ("Son: Filip, 6 years old.", "How old is my son?", "Your son is 7 years old.", False),
        ("Son: Filip, 6 years old.", "How old is my son?", "He is six.", True),
        ("Drives a green Fiat.", "What colour is my car?", "I don't know the colour of your car.", False),
        ("Choir is on Thursdays.", "When is my choir?", "It is on Mondays.", False),
        ("儿子在上海做程序员。孙子叫豆豆，六岁。", "豆豆几岁了？", "豆豆五岁。", False),
        ("在青岛的医院当护士。", "我在哪家医院当护士？", "你在青岛的医院当护士。", True),
        ("每天晚上跑步。", "我什么时候跑步？", "你每天早上六点跑步。", False),
        ("Choir is on Thursdays.", "When is my choir?", "It is on Thursdays at 7 pm.", False),
        ("Joan has moved out.\nIt's only the user and Rex in the house.", "Who do I live with?", "With Rex.", True),
        ("Joan has moved out.\nIt's only the user and Rex in the house.", "Who do I live with?", "With Joan.", False),
    ],
)
def test_a_reply_stands_on_the_notes_or_does_not(notes: str, question: str, reply: str, holds: bool) -> None:
    found = evidence(prompt(human=notes), question, [])
    assert found is not None
    assert stands_on(reply, found) is holds


@pytest.mark.parametrize(
    ("notes", "question", "give"),
    [
        ("Plays football for the Falcons.\nPractice is on Mondays.", "Which day is football practice?", True),
        ("孙子叫豆豆，六岁。", "豆豆几岁了？", True),
        ("Plays football for the Falcons.\nPractice is on Mondays.", "When is Christmas?", False),
        ("Plays football for the Falcons.\nPractice is on Mondays.", "What is football?", False),
        ("Birthday: 4 February.", "How many days has February?", False),
        ("每天晚上跑步，跑五公里。", "一年有多少个星期？", False),
    ],
)
def test_a_question_that_does_not_say_whose_it_is_may_be_for_a_value_of_the_notes(
    notes: str, question: str, give: bool
) -> None:
    assert notes_give(prompt(human=notes), question) is give


def test_a_value_of_the_notes_is_not_searched_for() -> None:
    model = SmallModel(label=["find"], reply=["Your cat is 11 years old."])
    human = "Has a cat called Biscuit, who is 12."
    name, arguments = step(prompt(says("How old is my cat?"), human=human), model)
    assert (name, arguments["message"]) == ("send_message", f"My notes say: {human}")


@pytest.mark.parametrize(
    ("notes", "question"),
    [
        ("Has a cat.\nPlays chess.", "Where was I born?"),
        ("Son Gareth lives in Bristol.", "Where do I live?"),
        ("Plays chess on the old board.", "When do I play chess?"),
        ("", "Where do I live?"),
    ],
)
def test_where_no_line_answers_there_is_nothing_to_hold_a_reply_to(notes: str, question: str) -> None:
    assert evidence(prompt(human=notes), question, []) is None


def test_what_was_before_answers_what_was_asked_of_it() -> None:
    notes = "A truck driver.\nBefore: works as a baker in Brno."
    found = evidence(prompt(human=notes), "What did I work as before?", [])
    assert found is not None and "Before: works as a baker in Brno." in found.lines
    assert evidence(prompt(human="Before: works as a baker."), "What do I work as?", []) is None


def test_what_was_said_leads_to_the_line_it_became() -> None:
    notes, said = (
        "Never misses a match.\nHas joined a tango class.",
        ["I've given up dancing salsa and joined a tango class."],
    )
    found = evidence(prompt(human=notes), "What do I dance?", ["I dance salsa twice a week.", *said])
    assert found is not None and found.lines == ("Has joined a tango class.",)


def test_what_was_asked_before_leads_to_no_line() -> None:
    said = ["I don't like coffee, what should I drink in the morning instead?"]
    assert evidence(prompt(human="Runs every morning."), "Which drink do I like?", said) is None


def test_a_reply_that_does_not_stand_on_the_notes_gives_way_to_them() -> None:
    human = "Name: Ada.\nWorks as a baker with the user's brother."
    model = SmallModel(label=["known"], check=["yes"], reply=["You work as a pilot."])
    assert step(prompt(says("What do I work as?"), human=human), model) == (
        "send_message",
        {"message": "My notes say: Works as a baker with your brother."},
    )
    model = SmallModel(label=["known"], check=["yes"], reply=["You work as a baker."])
    assert step(prompt(says("What do I work as?"), human=human), model)[1] == {"message": "You work as a baker."}
    assert quoted(evidence(prompt(human="养了一只猫。"), "我养了什么猫？", [])) == "我记着：养了一只猫。"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("I'm allergic to walnuts.", ("walnuts",)),
        ("My wife isn't fond of flowers.", ("flowers",)),
        (
            "I can't eat gluten.",
            (
                "gluten",
                "wheat",
                "barley",
                "rye",
                "couscous",
                "bulgur",
                "seitan",
                "bread",
                "sandwich",
                "toast",
                "pasta",
                "beer",
            ),
        ),
        ("我对芒果过敏。", ("芒果",)),
        ("I love cake.", ()),
        ("I don't like it very much.", ()),
    ],
)
def test_what_somebody_cannot_have_is_read_off(text: str, things: tuple[str, ...]) -> None:
    assert avoided(text) == things


@pytest.mark.parametrize(
    ("reply", "things", "wrong"),
    [
        ("How about a walnut cake?", ("walnuts",), "walnuts"),
        ("A lemon cake without walnuts.", ("walnuts",), ""),
        ("Since you're allergic to walnuts, a lemon cake.", ("walnuts",), ""),
        ("Gluten-free bread.", ("gluten", "wheat"), ""),
        ("Whole wheat bread with ham.", ("gluten", "wheat"), "wheat"),
        ("Try some cilantro.", ("coriander",), "coriander"),
        ("Oat milk or tofu sausage.", ("milk", "sausage"), ""),
        ("推荐芒果冰淇淋。", ("芒果",), "芒果"),
        ("不含芒果的蛋糕。", ("芒果",), ""),
        ("你对芒果过敏，可以吃草莓。", ("芒果",), ""),
    ],
)
def test_a_suggestion_of_what_is_to_be_avoided_is_seen(reply: str, things: tuple[str, ...], wrong: str) -> None:
    assert suggests(reply, things) == wrong


def test_a_dangerous_suggestion_is_asked_for_again_and_then_left_out() -> None:
    told, human = says("Which cake could I bake?"), "Allergic to walnuts."
    model = SmallModel(label=["chat"], reply=["A walnut cake.", "A lemon cake."])
    assert step(prompt(told, human=human), model)[1] == {"message": "A lemon cake."}
    assert "walnut" not in model.last_prompt("reply").lower()
    model = SmallModel(label=["chat"], reply=["A walnut cake.", "A walnut tart.", "walnut pie, carrot, lemon tart"])
    assert step(prompt(told, human=human), model)[1] == {"message": "How about carrot or lemon tart?"}
    model = SmallModel(label=["chat"], reply=["A walnut cake.", "A walnut tart.", "walnut pie, walnuts"])
    message = step(prompt(told, human=human), model)[1]["message"]
    assert message.startswith("I can't think of anything that is surely without walnuts")


def test_a_suggestion_that_names_nothing_is_asked_for_again() -> None:
    told = says("Which hot drink without caffeine would you pick?")
    vague, again = "I would pick a hot drink without caffeine.", "Mint tea is nice."
    model = SmallModel(label=["chat"], reply=[vague, again])
    assert step(prompt(told), model)[1] == {"message": again}
    model = SmallModel(label=["chat"], reply=[vague, vague, "hot drink, mint tea, cocoa"])
    assert step(prompt(told), model)[1] == {"message": "How about mint tea or cocoa?"}
    model = SmallModel(label=["chat"], reply=[vague, vague, "drink, hot drink"])
    assert step(prompt(told), model)[1] == {"message": vague}


def test_a_suggestion_is_streamed_as_soon_as_it_names_something() -> None:
    model = SmallModel(label=["chat"], reply=["You could pick mint tea, which is nice and warm."])
    queue = says("Which hot drink without caffeine would you pick?")
    pieces = [piece.text for piece in stream(prompt(queue), model) if isinstance(piece, ReplyDelta)]
    assert "".join(pieces) == "You could pick mint tea, which is nice and warm."
    assert len(pieces) > 1
    assert not asks_for_ideas("Can I eat feta?")
    assert asks_for_ideas("今晚吃什么好？")


@pytest.mark.parametrize(
    ("reply", "message", "things", "names"),
    [
        ("I suggest a cake that doesn't contain nuts.", "Which cake could I bake?", ("walnuts", "nuts"), False),
        ("Since you can't stand mushrooms, order a pizza without mushrooms.", "Which pizza?", ("mushrooms",), False),
        ("A lemon cake would be great.", "Which cake could I bake?", ("walnuts",), True),
        ("今晚吃点什么好？", "我对海鲜过敏，今晚吃点什么好？", ("海鲜",), False),
        ("可以吃一些不含海鲜的菜。", "我对海鲜过敏，今晚吃点什么好？", ("海鲜",), False),
        ("可以试试番茄炒蛋。", "我对海鲜过敏，今晚吃点什么好？", ("海鲜",), True),
    ],
)
def test_a_suggestion_has_to_name_something(reply: str, message: str, things: tuple[str, ...], names: bool) -> None:
    assert names_something(reply, message, things) is names


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("Did I say three kids? It's four, haha.", "Sorry, It's four, not three kids, haha."),
        ("I told you the left knee, but it's the right one.", "Sorry, it's the right knee, not the left knee."),
        ("I got Bo's age wrong. He's 8.", "Sorry, Bo is 8."),
        ("The date I gave you was wrong. It's the 21st.", "Sorry, The date is the 21st."),
        ("I said my brother's a farmer, but he's a vet.", "Sorry, My brother is a vet, not a farmer."),
        ("我写李芳在出版社，写错了，她在报社。", "更正一下，李芳在报社。"),
    ],
)
def test_a_correction_is_read_for_what_it_means(said: str, means: str) -> None:
    assert put_right(said) == means


@pytest.mark.parametrize(
    "said",
    [
        "I told you about my dog. He's 3 years old.",
        "I told you my sister is a nurse. She's lovely.",
        "I told you my sister is a nurse, but she's on leave now.",
        "I said I like tea. It's the best.",
        "Did I tell you that I love jazz? It's my favourite.",
        "I said my brother is a vet. He's a nice guy.",
        "Have I told you I have a dog? It's a poodle.",
        "I told you we have two kids. They're 3 and 5.",
        "我讲的是英语，其实是美式英语。",
        "The cake was wrong. It's a pity.",
        "我写小说，她写诗。",
    ],
)
def test_what_only_looks_like_a_correction_stays(said: str) -> None:
    assert put_right(said) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "Red wine gives the user migraines, so the user never touches it.",
            "gives you migraines, so you never touch it.",
        ),
        ("Doctor says the user has asthma.", "Doctor says you have asthma."),
        ("Shares a flat with their cousin.", "Shares a flat with your cousin."),
        ("Lives with two sisters and their dog.", "Lives with two sisters and their dog."),
        ("The user's dog is old.", "Your dog is old."),
        ("用户的狗很老。", "你的狗很老。"),
    ],
)
def test_a_line_is_told_to_the_one_whom_it_is_about(line: str, said: str) -> None:
    assert to_the_user(line).endswith(said)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("at 6 pm", "at 18:00", True),
        ("at 6 pm", "at six", True),
        ("at 5:30", "at half past five", True),
        ("at 6 am", "at 6 pm", False),
        ("at 6 a.m.", "at 18:00", False),
        ("at 5:30", "at 5:00", False),
        ("3点", "3点半", False),
        ("a grey car", "a gray car", True),
        ("thirty-four", "34", True),
    ],
)
def test_a_value_is_the_same_in_other_words(one: str, other: str, same: bool) -> None:
    first, second = values_of(one), values_of(other)
    assert same_value(first[0], second[0]) is same

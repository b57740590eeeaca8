"""Guided mode over several turns: what a later message may do to what stands in memory. The model is scripted."""

import json

import pytest

from agents.llm.guided.asking import asks_everything, parts_of
from agents.llm.guided.naming import given_name
from tests.agents.llm.test_guided import SmallModel, did, note, prompt, says, step

REPLACE, APPEND = "core_memory_replace", "core_memory_append"


def exchange(told: str, human: str) -> tuple[str, str]:
    """The line that a message exchanges and what it becomes, with a model that has not been asked."""
    name, arguments = step(prompt(says(told), human=human), SmallModel(label=["changed"]))
    assert name == REPLACE
    return arguments["old_content"], arguments["new_content"]


# A correction replaces what it corrects, and nothing else


@pytest.mark.parametrize(
    ("told", "line", "becomes"),
    [
        (
            "Sorry, I got that wrong: my son's birthday is on 5 May, not 15 May.",
            "Son turns 9 on 15 May.",
            "Son turns 9 on 5 May.",
        ),
        (
            "Actually judo is on Mondays.",
            "Rides a Vespa and does judo on Sundays.",
            "Rides a Vespa and does judo on Mondays.",
        ),
        ("Judo is on Tuesdays, not Fridays.", "Judo on Mondays and Fridays.", "Judo on Mondays and Tuesdays."),
        ("其实团团是两岁。", "养了一只猫，叫团团，三岁了。", "养了一只猫，叫团团，两岁了。"),
        ("My Swedish is B2 now.", "Learning Swedish, level B1, with Olga.", "Learning Swedish, level B2, with Olga."),
        ("Choir has moved to 8 pm.", "Choir every Friday at 6 pm.", "Choir every Friday at 8 pm."),
        (
            "My uncle Otto moved to Bern.",
            "Uncle Otto lives in Basel, keeps goats.",
            "Uncle Otto lives in Bern, keeps goats.",
        ),
        ("I play the oboe now, not the harp.", "Plays the harp with two friends.", "Plays the oboe with two friends."),
        ("I work at Nokia now.", "Works at Fiat as a welder.", "Works at Nokia as a welder."),
        ("说错了，我儿子是八岁，不是六岁。", "儿子小宝六岁，爱画画。", "儿子小宝八岁，爱画画。"),
        ("瑜伽改到周五了。", "每周一晚上做瑜伽。", "每周五晚上做瑜伽。"),
        ("我姐姐叫李娟，不是李娜。", "姐姐叫李娜，是医生。", "姐姐叫李娟，是医生。"),
    ],
)
def test_only_the_value_that_is_corrected_changes_in_its_line(told: str, line: str, becomes: str) -> None:
    assert exchange(told, f"Name: Ada.\n{line}\nKeeps bees.") == (line, becomes)


def test_a_quote_that_is_corrected_says_so() -> None:
    old, new = exchange("Actually judo is on Mondays.", "The user said: “I do judo on Sundays.”")
    assert (old, new) == (
        "The user said: “I do judo on Sundays.”",
        "The user said, since corrected: “I do judo on Mondays.”",
    )


def test_what_is_told_beside_a_correction_is_written_as_well() -> None:
    told = says("Actually judo is on Mondays, and I joined a choir in Bern.")
    first = step(prompt(told, human="Judo on Sundays."), SmallModel(label=["changed"]))
    assert first[1]["new_content"] == "Judo on Mondays."
    model = SmallModel(write=note("Joined a choir in Bern."))
    queue = [told, *did(REPLACE, "Done.", **first[1])]
    assert step(prompt(*queue, human="Judo on Mondays."), model) == (
        APPEND,
        {"label": "human", "content": "Joined a choir in Bern."},
    )
    queue += did(APPEND, "Done.", label="human", content="Joined a choir in Bern.")
    both = "Judo on Mondays.\nJoined a choir in Bern."
    assert step(prompt(*queue, human=both), SmallModel(reply=["Good."]))[0] == "send_message"


def test_a_correction_in_other_words_than_its_line_is_not_written_twice() -> None:
    told = says("We ended up calling the boat Tern instead of Gull.")
    done = did(REPLACE, "Done.", old_content="Bought a dinghy, Gull.", new_content="Bought a dinghy, Tern.")
    model = SmallModel(write=note("Boat: Tern."), reply=["Tern it is."])
    assert step(prompt(told, *done, human="Bought a dinghy, Tern."), model)[0] == "send_message"


# What is still true stays


@pytest.mark.parametrize(
    ("told", "human"),
    [
        ("We are moving to Bern next month.", "Lives in Basel."),
        ("I'm going to start at Nokia in May.", "Works at Fiat."),
        ("Actually we are moving to Bern next month.", "Lives in Basel."),
        ("我们打算明年搬到苏州。", "住在杭州。"),
    ],
)
def test_a_plan_does_not_replace_what_is_so_now(told: str, human: str) -> None:
    model = SmallModel(label=["changed"], write=note(told, replaces=0))
    assert step(prompt(says(told), human=human), model)[0] == APPEND


def test_a_plan_that_changes_replaces_the_plan() -> None:
    human = "Lives in Basel.\nMoving to Bern next month."
    assert exchange("Actually we are moving to Chur, not Bern.", human) == (
        "Moving to Bern next month.",
        "Moving to Chur next month.",
    )


def test_an_age_of_the_user_is_not_put_in_place_of_a_childs() -> None:
    model = SmallModel(label=["changed"], write=note("42 years old.", replaces=1))
    assert step(prompt(says("I turned 42."), human="Daughter turned 7."), model)[0] == APPEND


def test_what_a_new_line_would_lose_is_kept_as_what_was_before() -> None:
    model = SmallModel(label=["changed"], write=note("Truck driver.", replaces=1))
    assert step(prompt(says("I'm a truck driver now."), human="Works as a baker in Brno."), model)[1] == {
        "label": "human",
        "old_content": "Works as a baker in Brno.",
        "new_content": "A truck driver.\nBefore: works as a baker in Brno.",
    }


def test_what_was_before_is_kept_from_questions_about_now() -> None:
    human = "Truck driver.\nBefore: works as a baker in Brno."
    model = SmallModel(label=["known"], check=["yes"], reply=["You are a driver."])
    step(prompt(says("What is my work?"), human=human), model)
    assert "Brno" not in model.last_prompt("reply")
    model = SmallModel(label=["known"], check=["yes"], reply=["You were a baker."])
    step(prompt(says("What was my work before?"), human=human), model)
    assert "Brno" in model.last_prompt("reply")


def test_a_quote_of_several_facts_is_not_given_up_for_one_of_them() -> None:
    model = SmallModel(label=["changed"], write=note("Only Rex is left.", replaces=1))
    human = "The user said: “I keep bees, I mend clocks and I have two dogs, Rex and Bo.”"
    assert step(prompt(says("Bo died, so we only have Rex now."), human=human), model)[0] == APPEND


@pytest.mark.parametrize("label", ["find", "style"])
def test_a_lasting_fact_goes_to_the_human_block_whatever_the_model_takes_it_for(label: str) -> None:
    model = SmallModel(label=[label], write=note("Does not like coffee."))
    assert step(prompt(says("I don't like coffee.")), model) == (
        APPEND,
        {"label": "human", "content": "Doesn't like coffee."},
    )


@pytest.mark.parametrize("question", ["On which day do I swim?", "On which day does Otto swim?"])
def test_today_is_not_told_to_a_question_about_another_day(question: str) -> None:
    model = SmallModel(label=["known"], check=["yes"], reply=["On Thursdays."])
    step(prompt(says(question), human="Swims on Thursdays. Otto swims on Mondays."), model)
    assert "It is Sun" not in model.last_prompt("reply")
    today = SmallModel(label=["known"], check=["no"], reply=["It is Sunday."])
    step(prompt(says("What day is it?")), today)
    assert "It is Sun" in today.last_prompt("reply")


def test_of_a_line_with_two_facts_only_the_one_that_changed_gives_way() -> None:
    model = SmallModel(label=["changed"], write=note("Rides a moped.", replaces=1))
    old = "Likes old maps and rides a bicycle."
    assert step(prompt(says("I gave up cycling, I ride a moped now."), human=old), model)[1]["new_content"] == (
        "Likes old maps and rides a moped."
    )


def test_a_note_without_one_of_the_facts_gives_way_to_the_users_own_words() -> None:
    said = "I paint portraits and I repair clocks."
    model = SmallModel(label=["new"], write=note("Paints portraits."))
    assert step(prompt(says(said)), model)[1]["content"] == "Paints portraits.\nRepairs clocks."


def test_a_correction_that_the_model_takes_for_talk_is_written() -> None:
    model = SmallModel(label=["chat"])
    told = step(prompt(says("No wait, judo is on Mondays."), human="Judo on Sundays."), model)
    assert told[1]["new_content"] == "Judo on Mondays."


def test_a_correction_is_no_rule_of_behaviour() -> None:
    model = SmallModel(label=["style"], write=note("Coach: Zora.", replaces=1))
    told = says("No sorry, the coach is Zora, Nora is my aunt.")
    assert step(prompt(told, human="Rides a tandem."), model)[1]["label"] == "human"


def test_a_plan_that_the_model_takes_for_talk_is_written() -> None:
    model = SmallModel(label=["chat"], write=note("Might move to Bern with girlfriend Alva."))
    assert step(prompt(says("might move to Bern with my girlfriend Alva")), model)[0] == APPEND


def test_a_question_on_the_topic_of_a_note_is_answered_from_it_without_a_search() -> None:
    model = SmallModel(label=["known"], reply=["You live in Bonn."])
    assert step(prompt(says("Which city do I live in?"), human="Based in Bonn."), model)[0] == "send_message"
    model = SmallModel(label=["known"], check=["no"])
    asked = says("Which city does my aunt live in?")
    assert step(prompt(asked, human="Based in Bonn."), model)[0] == "conversation_search"


def test_the_age_of_somebody_in_the_notes_is_not_the_users() -> None:
    model = SmallModel(label=["changed"], write=note("豆豆六岁。"))
    human = "用户说：“我今年六十二岁，是会计。”"
    assert step(prompt(says("不好意思，豆豆已经六岁了。"), human=human), model)[0] == APPEND


@pytest.mark.parametrize("told", ["One parrot flew off, only one is left now.", "一只鹦鹉飞走了，现在只剩一只。"])
def test_a_change_of_something_in_the_notes_is_no_talk(told: str) -> None:
    model = SmallModel(label=["chat"], write=note(told))
    assert step(prompt(says(told), human="Keeps two parrots.\n养了两只鹦鹉。"), model)[0] in (APPEND, REPLACE)


def test_what_is_told_of_somebody_in_the_notes_beside_a_question_is_written() -> None:
    model = SmallModel(label=["new"], write=note("Zora starts school in May."))
    told = says("Zora starts school in May. Could you write her a poem?")
    assert step(prompt(told, human="Daughter: Zora."), model)[0] == APPEND


def test_a_note_in_another_language_is_used_without_a_count_of_its_words() -> None:
    model = SmallModel(label=["new"], write=note("Bruder: Jens."))
    assert step(prompt(says("Mein Bruder heißt Jens.")), model)[1]["content"] == "Bruder: Jens."


def test_a_lasting_fact_that_the_model_takes_for_talk_is_written() -> None:
    model = SmallModel(label=["chat"], write=note("Does not like coffee."))
    assert step(prompt(says("I don't like coffee.")), model)[0] == APPEND


# A fact and a request in one message


@pytest.mark.parametrize(
    ("text", "told", "asked"),
    [
        ("I'm vegan. Can you suggest a cake?", "I'm vegan.", "Can you suggest a cake?"),
        ("I'm vegan, what should I cook?", "I'm vegan", "what should I cook?"),
        ("My son is ill so write him a poem.", "My son is ill", "write him a poem."),
        ("If I move to Bern, what should I see?", "", "If I move to Bern, what should I see?"),
        ("I have two boys, who are ten.", "I have two boys, who are ten.", ""),
        ("Write this down: the code is 7.", "Write this down: the code is 7.", ""),
        ("Give short answers from now on.", "Give short answers from now on.", ""),
        ("我下周去北京出差，有什么好玩的地方？", "我下周去北京出差", "有什么好玩的地方？"),
        ("我对花生过敏。推荐一个甜点吧。", "我对花生过敏。", "推荐一个甜点吧。"),
        ("请说说你记住了我的哪些情况。", "", "请说说你记住了我的哪些情况。"),
        ("如果我去北京，有什么好玩的？", "", "如果我去北京，有什么好玩的？"),
    ],
)
def test_a_message_is_parted_into_what_it_tells_and_what_it_asks(text: str, told: str, asked: str) -> None:
    parts = parts_of(text)
    assert (parts.told, parts.asked) == (told, asked)


@pytest.mark.parametrize(
    ("message", "fact", "asked"),
    [
        ("I'm allergic to walnuts. Suggest a cake.", "Allergic to walnuts.", "Suggest a cake."),
        ("我对花生过敏。推荐一个甜点吧。", "对花生过敏。", "推荐一个甜点吧。"),
        ("我不吃香菜，帮我想个晚饭菜单吧。", "不吃香菜。", "帮我想个晚饭菜单吧。"),
    ],
)
def test_a_fact_with_a_request_is_noted_and_the_request_done(message: str, fact: str, asked: str) -> None:
    model = SmallModel(label=["new"])
    assert step(prompt(says(message)), model) == (APPEND, {"label": "human", "content": fact})
    queue = [says(message), *did(APPEND, "Done.", label="human", content=fact)]
    model = SmallModel(reply=["A lemon cake."])
    assert step(prompt(*queue, human=fact), model) == ("send_message", {"message": "A lemon cake."})
    remarks = model.last_prompt("reply").split(message)[1]
    assert asked in remarks and fact.rstrip(".。") in remarks  # what to do, with what it has to mind


def test_help_with_something_beside_a_fact_is_not_searched_for() -> None:
    told = says("I moved to Bern. Help me with the word for tax in French.")
    queue = [told, *did(APPEND, "Done.", label="human", content="Lives in Bern.")]
    assert step(prompt(*queue, human="Lives in Bern."), SmallModel(reply=["Impôt."]))[0] == "send_message"


# All that is known about the user


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("What do you know about me so far?", True),
        ("Tell me everything you remember about me.", True),
        ("Can you summarise what you know about me?", True),
        ("What do you know about my sister?", False),
        ("你知道我什么？", True),
        ("你对我了解多少？", True),
        ("请说说你记住了我的哪些情况。", True),
        ("请记住我的情况。", False),
        ("你知道我什么时候搬家吗？", False),
        ("关于我女儿你知道什么？", False),
    ],
)
def test_a_question_about_all_that_is_known_is_told_from_others(question: str, whole: bool) -> None:
    assert asks_everything(question) is whole


@pytest.mark.parametrize(
    ("question", "human", "told"),
    [
        (
            "What do you know about me so far?",
            "Name: Ada.\nThe user teaches art. The user wants tea.",
            "You teach art. You want tea.",
        ),
        ("你知道我什么？", "姓名：李强。\n用户说：“我养蜂。”", "你说：“我养蜂。”"),
    ],
)
def test_all_that_is_known_is_told_from_the_notes_and_never_from_the_persona(
    question: str, human: str, told: str
) -> None:
    name, arguments = step(prompt(says(question), human=human), SmallModel(label=["known"]))
    assert name == "send_message"
    assert arguments["message"].splitlines()[1:] == [human.splitlines()[0], told]


def test_nothing_known_is_said_to_be_nothing() -> None:
    question = says("What do you know about me?")
    assert "do not know" in step(prompt(question, human="Name: not known yet."), SmallModel())[1]["message"]


# A picture


@pytest.mark.parametrize(
    ("text", "remark"), [("Look at this!", "You cannot see pictures"), ("看看这个", "你看不到图片")]
)
def test_a_picture_that_no_guided_model_sees_is_told_of(text: str, remark: str) -> None:
    event = says(text)
    event = {**event, "content": json.dumps({**json.loads(event["content"]), "pictures": "8 x 8"})}
    model = SmallModel(label=["chat"], reply=["I cannot see it."])
    step(prompt(event), model)
    assert remark in model.last_prompt("reply")


def test_a_picture_without_a_word_is_answered() -> None:
    event = {"role": "user", "content": json.dumps({"type": "user_message", "message": "", "pictures": "8 x 8"})}
    model = SmallModel(label=["chat"], reply=["I cannot see it."])
    assert step(prompt(event), model)[1]["message"] == "I cannot see it."


# What is told in other words than its note


@pytest.mark.parametrize(
    ("told", "line", "becomes"),
    [
        (
            "Those tablets upset my stomach, so it's paracetamol these days.",
            "Ibuprofen for the back.",
            "Those tablets upset the user's stomach, so it's paracetamol.",
        ),
        (
            "I've changed my major to chemistry.",
            "Studies biology in Mumbai.",
            "Has changed their major to chemistry.\nBefore: studies biology in Mumbai.",
        ),
        ("Our landlord put the rent up to 2,450.", "Rent is 2,300 dollars a month.", "Rent is 2,450 dollars a month."),
        ("ellie is 13 actually", "Girls: Megan, 15; Ellie, 12.", "Girls: Megan, 15; Ellie, 13."),
        ("Tell a lie, it's the number 21 I drive, not the 12.", "Drives bus 12 in Leeds.", "Drives bus 21 in Leeds."),
        (
            "Mia's wedding is on 28 July, I typed too fast.",
            "Friend Mia marries on 18 July.",
            "Friend Mia marries on 28 July.",
        ),
        ("We hit 120 followers yesterday!", "Got like 40 followers.", "Got like 120 followers."),
        ("I've cut down to two cups.", "Drinks six cups of coffee a day.", "Drinks two cups of coffee a day."),
    ],
)
def test_a_change_finds_its_line(told: str, line: str, becomes: str) -> None:
    assert exchange(told, f"Name: Ada.\n{line}\nKeeps bees.") == (line, becomes)


def test_somebody_who_is_gone_is_kept_as_what_was_before() -> None:
    told = "Keller retired. It's Dr. Brandt who looks after my thesis now."
    human = "Name: Ada.\nProfessor Keller supervises them.\nKeeps bees."
    old = exchange(told, human)
    assert old == ("Professor Keller supervises them.", "Professor Dr. Brandt supervises them.")


def test_what_is_told_beside_a_change_is_written_as_well() -> None:
    told = says("I gave up being vegan. I eat fish again.")
    human = "Gave up being vegan.\nBefore: has been vegan for years."
    done = did(REPLACE, "Done.", old_content="Has been vegan for years.", new_content=human)
    model = SmallModel(label=["changed"], write=note("Eats fish again."))
    assert step(prompt(told, *done, human=human), model) == (APPEND, {"label": "human", "content": "Eats fish again."})


def test_what_is_so_now_takes_the_place_of_what_is_over() -> None:
    told = says("I quit Siemens, I'm at Bosch now.")
    model = SmallModel(label=["changed"])
    arguments = step(prompt(told, human="Name: Rosa.\nWorks at Siemens.\nHas twins."), model)[1]
    assert arguments["old_content"] == "Works at Siemens." and "Bosch" in arguments["new_content"]


def test_a_job_of_a_relative_is_not_the_users() -> None:
    human = "Job: baker in Brno.\nWife: Petra. Occupation: nurse. Son: Filip.\nDrives an old Skoda."
    model = SmallModel(label=["changed"])
    arguments = step(prompt(says("I'm a truck driver now."), human=human), model)[1]
    assert arguments["old_content"] == "Job: baker in Brno."


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("We are moving to Linz next month.", "Lives in Graz."),
        ("My sister drives a truck now.", "Drives an old van."),
        ("Mia starts at a new hospital in January.", "Wife Mia is a nurse."),
    ],
)
def test_what_is_still_so_stays(told: str, line: str) -> None:
    model = SmallModel(label=["new"], write=note(told))
    assert step(prompt(says(told), human=f"Name: Ada.\n{line}"), model)[0] == APPEND


@pytest.mark.parametrize("label", ["known", "find", "past", "chat"])
@pytest.mark.parametrize("asked", ["17 plus 25?", "Which planet is the biggest?", "What's seven times eight?"])
def test_a_general_question_is_answered_without_the_notes(label: str, asked: str) -> None:
    model = SmallModel(label=[label], reply=["42."])
    assert step(prompt(says(asked), human="Name: Ada.\nKeeps bees."), model)[0] == "send_message"
    assert "bees" not in model.last_prompt("reply")


@pytest.mark.parametrize(
    "asked",
    [
        "Sum up my situation as you understand it.",
        "Could you write down what you remember about my life?",
        "Go on then, what have you got on me?",
        "Describe me in a few words.",
    ],
)
def test_all_that_is_known_is_asked_for_in_many_ways(asked: str) -> None:
    assert asks_everything(asked) and parts_of(asked).asked


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("quick quiz: where do i work, whats my girls name", True),
        ("so whats my van", True),
        ("Name me a vegetable that's orange.", True),
        ("Recommend me something to drink.", True),
        ("Tell a lie, it's the number 21.", False),
    ],
)
def test_what_is_asked_for(text: str, asked: bool) -> None:
    assert bool(parts_of(text).asked) is asked


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("hiya im dave, plumber, 46", "Dave"),
        ("Good afternoon! Amara here. I'm doing a PhD.", "Amara"),
        ("sup. kai, 22, barista in portland", "Kai"),
        ("We've been here since August: me (Farid), my wife Nasrin.", "Farid"),
        ("I run an agency, and it's Niamh, in case you need a name.", "Niamh"),
        ("hi im tired, what a day", ""),
        ("hello, im busy, back later", ""),
    ],
)
def test_a_name_is_given_in_many_ways(told: str, name: str) -> None:
    assert given_name(told) == name

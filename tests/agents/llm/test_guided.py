"""The guided mode with a scripted small model: what is asserted is what the rules make of whatever the model says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agents.llm import guided
from agents.llm.guided.model import SLOTS
from agents.llm.guided.naming import given_name
from agents.llm.types import (
    ArgumentsDelta,
    CallStarted,
    ChatMessage,
    Completion,
    FunctionSchema,
    Prompt,
    PromptBlock,
    ReplyDelta,
    Thinking,
    Usage,
)

FUNCTIONS = (
    "send_message",
    "core_memory_append",
    "core_memory_replace",
    "conversation_search",
    "conversation_search_date",
    "archival_memory_insert",
    "archival_memory_search",
    "pause_heartbeats",
)


class SmallModel:
    """Answers each kind of prompt from its own list, and remembers what it was asked."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, list[ChatMessage], dict[str, Any]]] = []

    def __call__(self, messages: list[ChatMessage], *, slot: int, **form: Any) -> Iterator[str | Usage]:
        kind = next(name for name, number in SLOTS.items() if number == slot)
        self.asked.append((kind, messages, form))
        answer = self.answers[kind].pop(0)
        yield from (answer[i : i + 4] for i in range(0, len(answer), 4))
        yield Usage(prompt=10, completion=3, cached=5)

    def last_prompt(self, kind: str) -> str:
        return str(next(messages for name, messages, _ in reversed(self.asked) if name == kind)[-1]["content"])

    def grammar(self, kind: str) -> str:
        return next(form["grammar"] for name, _, form in reversed(self.asked) if name == kind) or ""


def note(text: str, replaces: int = 0) -> list[str]:
    return [json.dumps({"replaces": replaces, "note": text})]


def says(text: str, kind: str = "user_message", field: str = "message") -> ChatMessage:
    return {"role": "user", "content": json.dumps({"type": kind, field: text, "time": "Sun 2026-11-22 09:30 UTC"})}


def did(name: str, result: str, ok: bool = True, **arguments: Any) -> list[ChatMessage]:
    call = {"id": f"{name}-1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    content = json.dumps({"status": "OK" if ok else "Failed", "message": result, "time": ""})
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"{name}-1", "content": content},
    ]


def prompt(
    *queue: ChatMessage, human: str = "", limit: int = 2000, read_only: bool = False, without: tuple[str, ...] = ()
) -> Prompt:
    schemas = tuple(FunctionSchema(name, "", {"type": "object"}) for name in FUNCTIONS if name not in without)
    blocks = (PromptBlock("persona", "I am Sam.", 2000), PromptBlock("human", human, limit, read_only=read_only))
    return Prompt(system="", blocks=blocks, summary="", queue=queue, functions=schemas)


def step(prompt: Prompt, model: SmallModel) -> tuple[str, dict[str, Any]]:
    """The one call of a step, its arguments without `request_heartbeat`."""
    completion = list(guided.stream(prompt, model))[-1]
    assert isinstance(completion, Completion)
    (call,) = completion.calls
    arguments = json.loads(call.arguments)
    assert arguments.pop("request_heartbeat") is (call.name not in ("send_message", "pause_heartbeats"))
    return call.name, arguments


def test_a_step_streams_its_pieces_and_ends_with_one_completion() -> None:
    model = SmallModel(label=["chat"], reply=['Hello "you"!\nFine?'])
    pieces = list(guided.stream(prompt(says("Hello there!")), model))
    completion = pieces[-1]
    assert isinstance(completion, Completion)
    assert isinstance(pieces[0], Thinking) and pieces[1] == CallStarted(0, "send_message")
    assert "".join(p.text for p in pieces if isinstance(p, ReplyDelta)) == 'Hello "you"!\nFine?'
    assert len([p for p in pieces if isinstance(p, ReplyDelta)]) > 1
    assert "".join(p.text for p in pieces if isinstance(p, ArgumentsDelta)) == completion.calls[0].arguments
    assert json.loads(completion.calls[0].arguments)["message"] == 'Hello "you"!\nFine?'
    assert completion.usage == Usage(prompt=20, completion=6, cached=10)


def test_a_new_fact_is_appended_to_the_human_block() -> None:
    model = SmallModel(label=["new"], write=note("Rides a red tandem."))
    assert step(prompt(says("I ride a red tandem.")), model) == (
        "core_memory_append",
        {"label": "human", "content": "Rides a red tandem."},
    )


def test_the_name_goes_into_a_line_of_its_own_in_place_of_the_unknown_one() -> None:
    model = SmallModel(label=["new"], write=note("Ada lives in Lima."))
    blank = "Name: not known yet. A colleague from work."
    assert step(prompt(says("Hi! I'm Ada and I live in Lima."), human=blank), model) == (
        "core_memory_replace",
        {"label": "human", "old_content": "Name: not known yet.", "new_content": "Name: Ada.\nLives in Lima."},
    )


def test_a_name_without_more_is_just_its_line() -> None:
    model = SmallModel(label=["new"], write=note("姓名：李强。"))
    assert step(prompt(says("你好，我叫李强。")), model)[1]["content"] == "姓名：李强。"


def test_another_name_replaces_the_old_one() -> None:
    model = SmallModel(label=["new"], write=note("The user wants to be called Bea."))
    old = step(prompt(says("Please call me Bea."), human="Name: Beatrice. Rides a tandem."), model)
    assert "Bea" in json.dumps(old)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("My name is Ada Byron.", "Ada Byron"),
        ("I'm Ada and I keep bees.", "Ada"),
        ("I'm German.", ""),
        ("I'm Vietnamese and I cook.", ""),
        ("I am tired.", ""),
        ("I'm Off to Lima", ""),
        ("我叫王小明，今年三岁。", "王小明"),
        ("call me bea", "Bea"),
        ("hi im Priya, 19", "Priya"),
        ("嗨，我是林悦，画画的。", "林悦"),
        ("我是高中生，爱画画。", ""),
        ("我是程序员。", ""),
    ],
)
def test_a_name_is_taken_only_from_who_says_it_is_theirs(message: str, name: str) -> None:
    assert given_name(message) == name


def test_what_is_not_known_yet_is_no_note_to_answer_from() -> None:
    model = SmallModel(label=["known"], check=["no"], reply=["I don't know your name yet."])
    name, _ = step(prompt(says("What is my name?"), human="Name: not known yet."), model)
    assert name in ("conversation_search", "archival_memory_search", "send_message")
    assert "not known yet" not in json.dumps([messages for _, messages, _ in model.asked])


def test_thanks_before_a_fact_do_not_hide_it() -> None:
    model = SmallModel(label=["new"], write=note("最喜欢的颜色是绿色。"))
    assert step(prompt(says("谢谢你！我最喜欢的颜色是绿色。")), model)[0] == "core_memory_append"
    assert "谢谢" not in model.last_prompt("label")


def test_a_question_may_not_write_memory() -> None:
    model = SmallModel(label=["known"], reply=["You ride a tandem."])
    assert step(prompt(says("Do I ride a tandem?"), human="Rides a tandem."), model)[0] == "send_message"
    assert '"new"' not in model.grammar("label")


def test_a_statement_before_a_question_is_still_written_down() -> None:
    model = SmallModel(label=["new"], write=note("Name: Ada."))
    name, arguments = step(prompt(says("I'm Ada. What is a monad?")), model)
    assert (name, arguments["content"]) == ("core_memory_append", "Name: Ada.")


def test_a_request_to_remember_in_the_form_of_a_question_is_written_down() -> None:
    model = SmallModel(label=["new"], write=note("Aunt: Zelda."))
    assert step(prompt(says("Could you remember that my aunt is Zelda?")), model)[0] == "core_memory_append"


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        ("I ran 12 miles.", "Ran 12 miles."),
        ("I met my friend Ada.", "Met their friend Ada."),
        ("My sister keeps bees.", "Sister keeps bees."),
        ("我下个月要去日本出差。", "下个月要去日本出差。"),
    ],
)
def test_what_was_told_is_restated_without_a_call_of_the_model(said: str, noted: str) -> None:
    assert step(prompt(says(said)), SmallModel(label=["new"]))[1]["content"] == noted


@pytest.mark.parametrize(
    "wrote",
    [
        "Hat 21 Bienenstöcke.",
        "Hat Bienenstöcke.",
        "Hat 12 Bienenstöcke mit Grace.",
        "Enjoys mountain climbing holidays.",
    ],
)
def test_a_note_that_invents_or_loses_something_gives_way_to_the_users_own_words(wrote: str) -> None:
    said = "Ich habe zwölf, nein, 12 Bienenstöcke."
    model = SmallModel(label=["new"], write=note(wrote))
    assert step(prompt(says(said)), model)[1]["content"] == f"The user said: “{said}”"


def test_a_note_that_was_cut_off_is_not_used() -> None:
    model = SmallModel(label=["new"], write=['{"replaces": 0, "note": "Ich hal'])
    assert step(prompt(says("Ich halte Bienen.")), model)[1]["content"] == "The user said: “Ich halte Bienen.”"


def test_a_changed_fact_replaces_the_line_the_model_picks() -> None:
    model = SmallModel(label=["changed"], write=note("Plays the oboe.", replaces=1))
    queue = says("I play the oboe now, not the harp.")
    assert step(prompt(queue, human="Name: Ada.\nPlays the harp. Has twins."), model) == (
        "core_memory_replace",
        {"label": "human", "old_content": "Plays the harp.", "new_content": "Plays the oboe."},
    )


def test_a_move_replaces_where_the_user_lives_even_if_the_model_picks_no_line() -> None:
    model = SmallModel(label=["new"], write=note("Moved to Quito."))
    assert step(prompt(says("I moved to Quito"), human="Name: Ada. Lives in Lima."), model)[1] == {
        "label": "human",
        "old_content": "Lives in Lima.",
        "new_content": "Lives in Quito.",
    }


def test_a_line_about_something_else_is_never_overwritten() -> None:
    model = SmallModel(label=["changed"], write=note("Plays the oboe.", replaces=1))
    name, arguments = step(prompt(says("I play the oboe now."), human="Has twins."), model)
    assert (name, arguments["content"]) == ("core_memory_append", "Plays the oboe.")


def test_what_is_told_of_a_relative_does_not_replace_the_users_own_line() -> None:
    model = SmallModel(label=["changed"], write=note("Sister lives in Quito.", replaces=1))
    assert step(prompt(says("My sister lives in Quito now."), human="Lives in Lima."), model)[0] == "core_memory_append"


def test_a_line_the_block_already_has_is_not_written_again() -> None:
    model = SmallModel(label=["new"], write=note("Keeps bees."), reply=["So you said."])
    assert step(prompt(says("I keep bees."), human="Name: Ada. keeps bees"), model)[0] == "send_message"


def test_a_note_that_does_not_fit_its_block_goes_to_archival_storage() -> None:
    model = SmallModel(label=["new"], write=note("Keeps bees."))
    assert step(prompt(says("I keep bees."), human="x" * 95, limit=100), model) == (
        "archival_memory_insert",
        {"content": "Keeps bees."},
    )


def test_a_read_only_block_is_left_alone() -> None:
    model = SmallModel(label=["new"], write=note("Keeps bees."))
    assert step(prompt(says("I keep bees."), read_only=True), model)[0] == "archival_memory_insert"


def test_how_to_behave_is_written_to_the_persona() -> None:
    model = SmallModel(label=["new"], write=note("Please answer in rhymes."))
    name, arguments = step(prompt(says("Please answer in rhymes from now on.")), model)
    assert (name, arguments["label"]) == ("core_memory_append", "persona")


def test_what_is_to_be_archived_is_stored_word_for_word() -> None:
    model = SmallModel(label=["save"])
    assert step(prompt(says("Put this in your archive: the gate code is 99-B.")), model) == (
        "archival_memory_insert",
        {"content": "the gate code is 99-B."},
    )


def test_a_function_result_is_followed_by_a_reply_that_sees_it() -> None:
    queue = [
        says("When is my recital?"),
        *did("conversation_search", "[Sun 2026-11-01 10:00 UTC] person: recital is on 9 May"),
    ]
    model = SmallModel(reply=["Your recital is on 9 May."])
    assert step(prompt(*queue), model) == ("send_message", {"message": "Your recital is on 9 May."})
    assert "(2026-11-01) the user said: recital is on 9 May" in model.last_prompt("reply")


def test_a_search_that_found_something_else_leads_to_an_honest_answer() -> None:
    queue = [says("When is my recital?"), *did("conversation_search", "person: bees like heather")]
    model = SmallModel(check=["no"], reply=["I don't know that yet."])
    step(prompt(*queue), model)
    assert "heather" not in model.last_prompt("reply")
    assert model.grammar("reply").startswith('root ::= ("I don\'t know"')


def test_a_page_of_hits_with_half_of_the_words_is_looked_at_more_closely() -> None:
    hits = "person: my uncle keeps bees\nperson: my uncle is tall"
    model = SmallModel(check=["no"], reply=["I don't know that yet."])
    step(prompt(says("When is my uncle's recital?"), *did("conversation_search", hits)), model)
    assert "bees" not in model.last_prompt("reply")


@pytest.mark.parametrize("result", ["No results.", "Nothing in the conversation matches. Try other words."])
def test_an_empty_search_leads_to_an_honest_answer(result: str) -> None:
    model = SmallModel(reply=["I don't know that yet."])
    assert step(prompt(says("When is my recital?"), *did("conversation_search", result)), model)[0] == "send_message"
    assert "I couldn't find" in model.grammar("reply")


def test_what_stands_in_core_memory_is_answered_without_a_search() -> None:
    model = SmallModel(label=["find"], check=["yes"], reply=["You play the harp."])
    assert step(prompt(says("Which instrument do I play?"), human="Plays the harp."), model)[0] == "send_message"


def test_what_was_said_in_the_conversation_is_answered_without_a_search() -> None:
    model = SmallModel(label=["past"], reply=["Your tandem is red."])
    queue = [says("My tandem is red."), *did("send_message", "Sent.", message="Nice!"), says("Is my tandem red?")]
    assert step(prompt(*queue), model)[0] == "send_message"
    shown = [message["content"] for message in model.asked[-1][1][1:3]]
    assert shown == ["My tandem is red.", "Nice!"]


def test_what_is_known_nowhere_is_searched() -> None:
    model = SmallModel(label=["known"], check=["no"])
    assert step(prompt(says("When is my recital?"), human="Plays the harp."), model) == (
        "conversation_search",
        {"query": "recital", "page": 1},
    )


def test_an_order_to_search_the_archive_is_followed_even_if_core_memory_has_the_word() -> None:
    model = SmallModel(label=["find"])
    assert step(prompt(says("Look in your archive for my harp teacher."), human="Plays the harp."), model) == (
        "archival_memory_search",
        {"query": "harp teacher", "page": 1},
    )


def test_a_general_question_is_never_searched() -> None:
    model = SmallModel(label=["known"], reply=["42 moons."])
    assert step(prompt(says("Why is the sea salty?")), model)[0] == "send_message"
    assert model.grammar("reply") == ""


def test_a_question_about_a_day_searches_by_date() -> None:
    model = SmallModel(label=["past"])
    assert step(prompt(says("What did we talk about yesterday?")), model) == (
        "conversation_search_date",
        {"start_date": "2026-11-21", "end_date": "2026-11-21", "page": 1},
    )


def test_a_reply_about_the_user_has_only_numbers_of_the_prompt() -> None:
    model = SmallModel(label=["known"], check=["yes"], reply=["You ran 12 miles."])
    step(prompt(says("How many miles did I run?"), human="Ran 12 miles."), model)
    assert 'number ::= "12"' in model.grammar("reply")


def test_a_number_of_someone_else_is_not_given_to_a_relative() -> None:
    model = SmallModel(label=["known"], check=["yes"], reply=["I am not sure."])
    step(prompt(says("How old is my uncle?"), human="Age: 51. Uncle: Bert. Bert is 80."), model)
    assert 'number ::= "80"' in model.grammar("reply")


def test_advice_about_food_begins_with_what_the_notes_say_about_diet() -> None:
    model = SmallModel(reply=["Since you are vegan, no."])
    step(prompt(says("Could I have a cheese toast?"), human="Name: Ada. Is vegan."), model)
    assert "Is vegan." in model.last_prompt("reply").split("\n")[-1]
    assert '("Since you")' in model.grammar("reply")


def test_a_chinese_message_gets_chinese_remarks() -> None:
    model = SmallModel(label=["known"], check=["yes"], reply=["你弹竖琴。"])
    step(prompt(says("我弹什么乐器？"), human="弹竖琴。"), model)
    assert "请用中文回答" in model.last_prompt("reply")


def test_a_failed_replace_is_tried_once_as_an_append_and_then_answered() -> None:
    failed = did("core_memory_replace", "stale", ok=False, label="human", old_content="x", new_content="Keeps bees.")
    again = did("core_memory_append", "no", ok=False, label="human", content="Keeps bees.")
    queue = [says("I keep bees now."), *failed]
    assert step(prompt(*queue), SmallModel())[0] == "core_memory_append"
    assert step(prompt(*queue, *again), SmallModel(reply=["I could not."]))[0] == "send_message"


def test_an_unanswered_message_is_answered_though_an_alert_or_heartbeat_came_after_it() -> None:
    queue = [says("Hello there!"), says("Memory is full.", "system_alert"), says("chained", "heartbeat", "reason")]
    assert step(prompt(*queue), SmallModel(label=["chat"], reply=["Hi!"])) == ("send_message", {"message": "Hi!"})


def test_an_alert_with_nobody_waiting_keeps_what_the_user_said_once() -> None:
    talk = [says("I keep 40 bees with Ada."), *did("send_message", "Sent.", message="Lovely.")]
    alert = says("Memory pressure.", "system_alert")
    completion = list(guided.stream(prompt(*talk, alert), SmallModel()))[-1]
    assert isinstance(completion, Completion)
    kept = json.loads(completion.calls[0].arguments)
    assert completion.calls[0].name == "archival_memory_insert"
    assert kept == {"content": "The user said: “I keep 40 bees with Ada.”", "request_heartbeat": False}
    filed = did("archival_memory_insert", "Filed.", content=kept["content"])
    assert step(prompt(*talk, alert, *filed, says("More.", "system_alert")), SmallModel())[0] == "pause_heartbeats"


def test_a_timed_heartbeat_lets_the_time_pass() -> None:
    assert step(prompt(says("timer", "heartbeat", "reason")), SmallModel()) == ("pause_heartbeats", {"minutes": 1})


def test_a_login_is_greeted() -> None:
    assert step(prompt(says("", "login")), SmallModel(reply=["Welcome back!"]))[0] == "send_message"


def test_functions_that_are_not_offered_are_not_called() -> None:
    missing = ("conversation_search", "conversation_search_date", "archival_memory_search", "pause_heartbeats")
    asked = SmallModel(label=["past"], reply=["I do not know."])
    assert step(prompt(says("What did I say about bees?"), without=missing), asked)[0] == "send_message"
    idle = SmallModel(reply=["I am here."])
    assert step(prompt(says("x", "heartbeat", "reason"), without=missing), idle)[0] == "send_message"


def test_an_empty_reply_gets_words_so_that_the_run_ends() -> None:
    assert step(prompt(says("Hello there!")), SmallModel(label=["chat"], reply=["  "]))[1]["message"]


def test_the_prompts_that_are_warmed_are_the_beginnings_of_those_that_are_asked() -> None:
    model = SmallModel(label=["known"], check=["yes"], reply=["Yes."])
    step(prompt(says("Which instrument do I play?"), human="Plays the harp."), model)
    step(prompt(says("I keep bees.")), writer := SmallModel(label=["new"], write=note("Keeps bees.")))
    warm = dict(guided.warm_prompts())
    assert set(warm) == set(SLOTS.values())
    for kind, messages, _ in [*model.asked, *writer.asked]:
        if kind != "reply":
            assert messages[:-1] == warm[SLOTS[kind]]
        else:
            assert str(messages[0]["content"]).startswith(str(warm[SLOTS[kind]][0]["content"]))

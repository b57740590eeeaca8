"""The slash commands, each by what it does, and what it says to a line it cannot take."""

import re

import pytest
from django.contrib.auth.models import User

from agents import selectors, services
from agents.commands import CommandOutcome, command_run
from agents.exceptions import InvalidInput
from agents.external_context import archival_storage, recall_storage
from agents.llm.scripted import call, say
from agents.models import Agent, Archive, Block, Message, Passage, Run
from agents.services import Hand
from tests.conftest import ServeModel, exchange, make_agent

REMEMBERS = [call("core_memory_append", label="human", content="Name: Ann.", thoughts="A name."), say("Noted.")]


def command(agent: Agent, line: str, *, confirmed: bool = False) -> CommandOutcome:
    outcome = command_run(agent=agent, line=line, hand=Hand(agent.owner), confirmed=confirmed)
    assert outcome is not None
    agent.refresh_from_db()
    return outcome


@pytest.fixture
def talked(agent: Agent, serve_model: ServeModel) -> Agent:
    serve_model([*REMEMBERS, say("Again."), say("More.")])
    exchange(agent, "I am Ann")
    return agent


def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def test_help_lists_every_command_with_its_usage(agent: Agent) -> None:
    heads = [entry.head for entry in command(agent, "/help").entries]
    assert heads == [
        *(
            "/dump [n]",
            "/memory",
            "/why <query>",
            "/pop [n]",
            "/retry",
            "/rethink <text>",
            "/rewrite <text>",
            "/heartbeat",
        ),
        *("/memorywarning", "/summarize", "/systemswap <text>", "/attach <archive>", "/save [name]", "/allow [always]"),
        *("/deny [why]", "/exit", "/help"),
    ]


def test_dump_shows_the_last_messages_as_stored(talked: Agent) -> None:
    entries = command(talked, "/dump 2").entries
    assert len(entries) == 2
    assert "send_message" in entries[0].body and "Noted." in entries[0].body
    assert "function result" in entries[1].head


def test_memory_shows_every_block_with_its_size(talked: Agent) -> None:
    entries = command(talked, "/memory").entries
    assert [entry.head for entry in entries] == ["persona · 15 / 2,000", "human · 28 / 2,000"]
    assert entries[1].body == "We have just met.\nName: Ann."


@pytest.mark.parametrize("query", ["what did Ann say", "Noted", "我叫什么名字"])
def test_why_shows_what_the_agent_would_find_with_figures_that_add_up(talked: Agent, query: str) -> None:
    for text in ("Ann is pleased.", "The harbour is deep.", "我叫林晓雯。"):
        archival_storage.insert(talked.archive, text)
    list(recall_storage.embed_missing(talked))
    outcome = command(talked, f"/why {query}")
    found = [entry for entry in outcome.entries if re.fullmatch(r"(Recall|Archival) \d", entry.head)]
    assert outcome.title == "As Sam searches" and [entry.head for entry in found][-1] == "Archival 3"
    scores = {f"{round(hit.score, 2) + 0.0:.2f}" for hit in recall_storage.find(talked, query).hits}
    for entry in found:
        text, *lines, score = entry.body.split("\n")
        score = score.removeprefix("= ").replace("−", "-")
        adding = [line.split(" ")[0].replace("−", "-") for line in lines if line[0] in "+−"]
        assert text and round(sum(map(float, adding)), 2) == float(score)
        assert entry.head.startswith("Archival") or score in scores


def test_why_tells_what_was_just_below_the_cut(agent: Agent) -> None:
    for number in range(5):
        archival_storage.insert(agent.archive, f"Harbour fact {number}: " + number * "the harbour ")
    entries = {entry.head: entry.body for entry in command(agent, "/why harbour").entries}
    assert list(entries) == ["Archival 1", "Archival 2", "Archival 3", "Archival: Just below the cut"]
    assert len(entries["Archival: Just below the cut"].split("\n")) == 2
    with pytest.raises(InvalidInput, match="/why needs something after it: /why <query>"):
        command(agent, "/why")
    assert not command(make_agent(agent.owner, "New"), "/why harbour").entries


def test_pop_takes_three_messages_and_their_memory_edits(talked: Agent) -> None:
    assert "4 messages were taken back" in command(talked, "/pop").sentence  # three, and the call of the oldest result
    assert human(talked).value == "We have just met."
    assert [m.content for m in recall_storage.spoken(talked)] == ["I am Ann"]


def test_pop_with_a_number_takes_that_many(talked: Agent) -> None:
    command(talked, "/pop 2")
    assert human(talked).value.endswith("Name: Ann.")


def test_retry_takes_its_memory_edits_along_and_answers_anew(talked: Agent) -> None:
    command(talked, "/retry")
    assert human(talked).value == "We have just met."
    services.run_next(agent_id=talked.pk)
    assert [m.content for m in recall_storage.spoken(talked)] == ["I am Ann", "Again."]


def test_rethink_replaces_the_last_thought_wherever_the_model_reads_it(talked: Agent) -> None:
    command(talked, "/rethink They may be joking.")
    last = talked.messages.filter(kind=Message.Kind.ASSISTANT).order_by("-seq")[0]
    assert last.inner_monologue == "They may be joking."
    assert "They may be joking." in last.calls[0]["arguments"] and "I answer." not in last.calls[0]["arguments"]


def test_rewrite_replaces_the_last_reply_in_prompt_and_search(talked: Agent) -> None:
    command(talked, "/rewrite Pleased to meet you, Ann.")
    last = talked.messages.filter(kind=Message.Kind.ASSISTANT).order_by("-seq")[0]
    assert last.content == "Pleased to meet you, Ann."
    assert "Pleased to meet you" in last.calls[0]["arguments"]
    assert recall_storage.find(talked, "pleased").hits[0].row == last
    prompt = selectors.context_view(talked).main.prompt.messages()
    assert "Noted." not in str(prompt) and "Pleased to meet you" in str(prompt)


def test_heartbeat_wakes_the_agent(talked: Agent) -> None:
    command(talked, "/heartbeat")
    run = talked.runs.get(status=Run.Status.QUEUED)
    assert run.trigger == Run.Trigger.HEARTBEAT
    services.run_next(agent_id=talked.pk)
    assert recall_storage.spoken(talked).order_by("-seq")[0].content == "Again."


def test_memorywarning_sends_the_alert(talked: Agent) -> None:
    command(talked, "/memorywarning")
    services.run_next(agent_id=talked.pk)
    alert = talked.messages.get(kind=Message.Kind.SYSTEM_ALERT)
    assert "Memory pressure" in alert.content


def test_summarize_evicts_the_oldest_messages(talked: Agent) -> None:
    exchange(talked, "And more")
    before = talked.queue_start
    command(talked, "/summarize")
    assert talked.queue_start > before


def test_summarize_says_when_the_queue_is_too_short(agent: Agent) -> None:
    with pytest.raises(InvalidInput, match="too short"):
        command(agent, "/summarize")


def test_systemswap_asks_first_and_shows_both(agent: Agent) -> None:
    before = agent.system_instructions
    outcome = command(agent, "/systemswap Be brief.")
    assert outcome.question and (outcome.before, outcome.after) == (before, "Be brief.")
    assert agent.system_instructions == before
    command(agent, "/systemswap Be brief.", confirmed=True)
    assert agent.system_instructions == "Be brief."


def test_attach_finds_an_archive_by_its_name(agent: Agent, alice: User) -> None:
    archive = services.archive_create(owner=alice, name="Ship logs")
    command(agent, "/attach ship logs")
    assert list(agent.attached_archives.all()) == [archive]
    with pytest.raises(InvalidInput, match="already"):
        command(agent, "/attach Ship logs")


def test_attach_names_what_there_is(agent: Agent, alice: User, bob: User) -> None:
    services.archive_create(owner=alice, name="Ship logs")
    Archive.objects.create(owner=bob, name="Bob's own")
    with pytest.raises(InvalidInput, match=r"There are: Ship logs\."):
        command(agent, "/attach Bob's own")


def test_save_makes_a_checkpoint_that_becomes_a_new_agent(talked: Agent) -> None:
    services.passage_add(archive=talked.archive, text="The lamp was lit in 1871.")
    command(talked, "/save before the storm")
    exchange(talked, "Something later")
    services.block_edit(block=human(talked), value="Changed.", from_revision=2, editor=talked.owner)
    services.passages_retract(passages=Passage.objects.all())
    checkpoint = talked.checkpoints.get(name="before the storm")
    again = services.checkpoint_restore(checkpoint=checkpoint, name="Sam again")
    assert human(again).value == "We have just met.\nName: Ann."
    assert [m.content for m in recall_storage.spoken(again)] == ["I am Ann", "Noted."]
    assert again.archive.passages.get().text == "The lamp was lit in 1871."
    assert exchange(again, "Hello").status == Run.Status.DONE
    assert human(talked).value == "Changed."


def test_taking_back_in_a_restored_agent_leaves_the_first_one_alone(talked: Agent) -> None:
    command(talked, "/save")
    again = services.checkpoint_restore(checkpoint=talked.checkpoints.get(), name="Sam again")
    services.messages_pop(agent=again, count=10, hand=Hand(again.owner))
    assert human(talked).value.endswith("Name: Ann.")


def test_exit_leaves(agent: Agent) -> None:
    assert command(agent, "/exit").leave


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/dance", "no command /dance"),
        ("/memry", "Did you mean /memory"),
        ("/pop three", "not a number"),
        ("/pop 0", "not a number"),
        ("/pop -1", "not a number"),
        ("/dump 99999999999999999999", "not a number"),
        ("/pop 000000001999999999", "not a number"),
        ("/rethink", "needs something after it: /rethink <text>"),
        ("/rewrite   ", "needs something"),
        ("/systemswap", "needs something"),
        ("/attach", "needs something"),
        ("/retry now", "takes nothing after it"),
        ("/memory all", "takes nothing after it"),
        ("/rewrite x", "nothing to correct"),
        ("/pop", "nothing to take back"),
        ("/retry", "nothing to take back"),
    ],
)
def test_a_line_that_cannot_be_taken_says_why(agent: Agent, line: str, reason: str) -> None:
    agent.messages.all().delete()
    with pytest.raises(InvalidInput, match=reason):
        command(agent, line)


def test_the_same_name_twice_makes_no_second_checkpoint(agent: Agent) -> None:
    command(agent, "/save one")
    with pytest.raises(InvalidInput, match="already"):
        command(agent, "/save one")


def test_another_agents_archive_may_be_attached(agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Ada")
    command(agent, "/attach Ada")  # another agent's own archive may be searched too
    assert other.archive in agent.attached_archives.all()

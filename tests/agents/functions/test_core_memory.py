"""Core memory functions: what they change, what they refuse, and whose edit wins."""

import json
import unicodedata

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from agents import services
from agents.exceptions import BlockOverLimit, StaleEdit
from agents.llm.scripted import Answer, Request, call, say
from agents.main_context import working_context
from agents.models import Agent, Block, BlockRevision, Message, Passage
from tests.conftest import ServeModel, exchange, make_agent


def told(agent: Agent) -> list[str]:
    rows = agent.messages.filter(kind=Message.Kind.FUNCTION_RESULT).order_by("seq")
    return [json.loads(row.content)["message"] for row in rows]


def human(agent: Agent) -> Block:
    return agent.blocks.get(label="human")


def replace(old: str, new: str) -> Answer:
    return call("core_memory_replace", label="human", old_content=old, new_content=new)


@pytest.fixture
def known(agent: Agent, alice: User) -> Agent:
    text = "Name: Ann.\nLives in Rome.\nLikes Rome."
    services.block_edit(block=human(agent), value=text, from_revision=1, editor=alice)
    return agent


def test_replace_changes_the_text_that_stands_there_once(known: Agent, serve_model: ServeModel) -> None:
    serve_model([replace("Lives in Rome.", "Lives in Oslo."), say("ok")])
    exchange(known, "I moved.")
    assert human(known).value == "Name: Ann.\nLives in Oslo.\nLikes Rome."


BULLETS = "Likes:\n  - tea\n  - rain\n\nName: Chad\nIs kind."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Name: Chad\n", "Name: Sarah\n", BULLETS.replace("Chad", "Sarah")),
        ("Name: Chad\n", "Name: Sarah", BULLETS.replace("Chad", "Sarah")),
        ("Name: Chad", "Name: Sarah\n", BULLETS.replace("Chad", "Sarah")),
        (" tea", " coffee", BULLETS.replace("tea", "coffee")),
        (" tea", "coffee", BULLETS.replace("tea", "coffee")),
        ("  - tea", "  - coffee", BULLETS.replace("tea", "coffee")),
        ("  - tea\n  - rain", "  - coffee\n  - sun", BULLETS.replace("tea", "coffee").replace("rain", "sun")),
        ("    - tea\n    - rain", "    - coffee\n    - sun", BULLETS.replace("tea", "coffee").replace("rain", "sun")),
        ("  Name: Chad\n  Is kind.", "  Name: Sarah\n  Is kind.", BULLETS.replace("Chad", "Sarah")),
        ("Name: Chad\n  Is kind.", "Name: Sarah", BULLETS.replace("Chad\nIs kind.", "Sarah")),
        ("is kind.", "", None),
        ("Name: Chad\n", "", BULLETS.replace("Name: Chad\n", "")),
        ("Name: Chad", " ", BULLETS.replace("Name: Chad\n", "")),
        ("  - rain", "", BULLETS.replace("  - rain\n", "")),
        ("\nIs kind.\n", "", BULLETS.replace("\nIs kind.", "")),
        (" Chad\n", "", BULLETS.replace(" Chad", "")),
        ("Is ", "", BULLETS.replace("Is ", "")),
        ("Is", "", BULLETS.replace("Is", "")),
    ],
)
def test_no_lines_are_glued_and_no_other_white_space_goes(
    agent: Agent, alice: User, serve_model: ServeModel, old: str, new: str, expected: str | None
) -> None:
    services.block_edit(block=human(agent), value=BULLETS, from_revision=1, editor=alice)
    serve_model([replace(old, new), say("ok")])
    exchange(agent, "Please.")
    assert human(agent).value == (BULLETS if expected is None else expected)


def test_a_copy_that_differs_in_what_cannot_be_seen_is_enough(known: Agent, serve_model: ServeModel) -> None:
    stored = "Name: José Müller.\nAnna’s cat is called “Momo”."
    Block.objects.filter(pk=human(known).pk).update(value=unicodedata.normalize("NFD", stored))  # from before
    serve_model([replace("Name: José Müller. ", "Name: José."), say("ok")])
    exchange(known, "Just José.")
    assert human(known).value == "Name: José.\nAnna’s cat is called “Momo”."


def test_what_is_stored_is_in_normal_form_c(agent: Agent, serve_model: ServeModel) -> None:
    said = unicodedata.normalize("NFD", "Grüße an José, 김민수")
    first = call("core_memory_append", label="human", content=said).calls
    second = call("archival_memory_insert", content=said).calls
    serve_model([Answer(content=said, calls=first + second), say(said)])
    exchange(agent, said)
    messages = agent.messages.exclude(kind=Message.Kind.FUNCTION_RESULT)
    stored = [*messages.values_list("content", flat=True), *messages.values_list("inner_monologue", flat=True)]
    stored += [human(agent).value, Passage.objects.get().text]
    assert sum("José" in text for text in stored) >= 4
    assert all(unicodedata.is_normalized("NFC", text) for text in stored)


def test_the_fault_says_what_stands_there(known: Agent, serve_model: ServeModel) -> None:
    serve_model([replace("Lives in Paris.", "Lives in Oslo."), say("ok")])
    exchange(known, "I moved.")
    assert "only “Lives in” does" in told(known)[0]
    assert "“Lives in Rome.”" in told(known)[0]


@pytest.mark.parametrize("again", ["Likes Rome.", " Likes Rome.\n", "Lives in Rome.\r\nLikes Rome."])
def test_a_line_that_stands_there_is_not_added_again(known: Agent, serve_model: ServeModel, again: str) -> None:
    serve_model([call("core_memory_append", label="human", content=again), say("ok")])
    exchange(known, "I like Rome.")
    assert "stands there already" in told(known)[0]
    assert human(known).revision == 2
    assert not known.messages.filter(failed=True).exists()


def test_part_of_a_line_is_not_the_line(known: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="  - Likes"), say("ok")])
    exchange(known, "I like.")
    assert human(known).value.endswith("Likes Rome.\n  - Likes")


@pytest.mark.parametrize(
    ("old", "reason"), [("", "old_content is empty"), ("Paris", "does not stand"), ("Rome", "stands 2 times")]
)
def test_replace_of_absent_empty_or_ambiguous_text_is_an_error(
    known: Agent, serve_model: ServeModel, old: str, reason: str
) -> None:
    serve_model([replace(old, "x"), say("ok")])
    exchange(known, "I moved.")
    assert reason in told(known)[0]
    assert human(known).revision == 2


def test_an_empty_new_content_deletes_the_line(known: Agent, serve_model: ServeModel) -> None:
    serve_model([replace("Lives in Rome.", ""), say("ok")])
    exchange(known, "Forget where I live.")
    assert human(known).value == "Name: Ann.\nLikes Rome."


def test_an_append_over_the_limit_is_refused_with_both_figures(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="x" * 2000), say("ok")])
    exchange(agent, "Much.")
    assert "at most 2,000 characters; this text has 2,018" in told(agent)[0]
    assert human(agent).value == "We have just met."


def test_the_limit_holds_in_the_database_too(agent: Agent) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Block.objects.filter(pk=human(agent).pk).update(value="x" * 2001)


def test_the_limit_holds_in_the_form_too(agent: Agent, alice: User) -> None:
    with pytest.raises(BlockOverLimit):
        services.block_edit(block=human(agent), value="好" * 2001, from_revision=1, editor=alice)


def test_every_edit_is_a_revision_with_its_editor_and_step(agent: Agent, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="Likes tea."), say("ok")])
    run = exchange(agent, "I like tea.")
    revision = human(agent).revisions.get(number=2)
    assert (revision.editor, revision.agent) == (BlockRevision.Editor.AGENT, agent)
    assert revision.step == run.steps.get(number=1)


def test_a_read_only_block_is_not_the_agents_to_change(agent: Agent, serve_model: ServeModel) -> None:
    Block.objects.filter(pk=human(agent).pk).update(read_only=True)
    serve_model([call("core_memory_append", label="human", content="x"), say("ok")])
    exchange(agent, "x")
    assert "read-only" in told(agent)[0]


@pytest.mark.django_db(transaction=True)
def test_a_persons_edit_during_a_run_is_never_overwritten_silently(
    agent: Agent, alice: User, serve_model: ServeModel
) -> None:
    """The agent answers from a prompt that showed the older text: it is told, and shown what the block says now."""

    def brain(request: Request) -> Answer:
        if len(server.requests) == 1:
            services.block_edit(block=human(agent), value="Name: Bea.", from_revision=1, editor=alice)
            connection.close()  # of the server's thread
            return call("core_memory_append", label="human", content="Name: Ann.")
        return say("I see.")

    server = serve_model(brain)
    exchange(agent, "I am Ann.")
    assert human(agent).value == "Name: Bea."
    assert "Name: Bea." in told(agent)[0]


def test_a_stale_form_does_not_overwrite_the_agents_edit(agent: Agent, alice: User, serve_model: ServeModel) -> None:
    serve_model([call("core_memory_append", label="human", content="Likes tea."), say("ok")])
    exchange(agent, "I like tea.")
    with pytest.raises(StaleEdit) as caught:
        services.block_edit(block=human(agent), value="mine", from_revision=1, editor=alice)
    assert caught.value.current_value.endswith("Likes tea.")


def test_an_agent_may_edit_one_block_twice_in_a_step(agent: Agent, serve_model: ServeModel) -> None:
    first = call("core_memory_append", label="human", content="One.").calls
    second = call("core_memory_append", label="human", content="Two.").calls
    serve_model([Answer(calls=first + second), say("ok")])
    exchange(agent, "One. Two.")
    assert human(agent).value == "We have just met.\nOne.\nTwo."


def test_a_shared_block_edited_by_one_agent_is_seen_by_all(agent: Agent, alice: User) -> None:
    other = make_agent(alice, "Otto")
    other.agentblock_set.filter(block__label="human").delete()
    other.agentblock_set.create(block=human(agent))
    editor = working_context.Editor(agent=agent)
    working_context.write(block=human(agent), value="Shared.", from_revision=1, editor=editor)
    assert human(other).value == "Shared."

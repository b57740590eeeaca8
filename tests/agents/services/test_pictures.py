"""Pictures in a conversation: kept small, sent to a model that sees, dropped from old prompts, told of to others."""

import base64
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pytest_django import Settings

from agents import selectors, services
from agents.exceptions import InvalidInput
from agents.llm.scripted import Answer, ScriptedServer, say
from agents.models import Agent, Connection, Message
from agents.services import Hand, pictures
from tests.conftest import ServeModel


def png(
    width: int = 640, height: int = 480, colour: str = "red", name: str = "p.png", **saving: Any
) -> SimpleUploadedFile:
    content = BytesIO()
    kind = saving.pop("kind", "PNG")
    Image.new(saving.pop("mode", "RGB"), (width, height), colour).save(content, kind, **saving)
    return SimpleUploadedFile(name, content.getvalue())


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def model(agent: Agent, serve_model: ServeModel) -> ScriptedServer:
    return serve_model([say("I see.")])


def tell(agent: Agent, text: str = "Look", *files: Any) -> Message:
    services.message_send(agent=agent, text=text, pictures=files)
    services.run_next(agent_id=agent.pk)
    return agent.messages.filter(kind=Message.Kind.USER_MESSAGE).latest("pk")


def parts_of(server: ScriptedServer) -> list[dict[str, Any]]:
    """The parts of the last request's messages that are in parts."""
    contents = [message["content"] for message in server.requests[-1]["messages"]]
    return [part for content in contents if isinstance(content, list) for part in content]


def images_of(server: ScriptedServer) -> list[Image.Image]:
    found = [part["image_url"]["url"] for part in parts_of(server) if part["type"] == "image_url"]
    return [Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) for url in found]


def test_a_picture_is_seen_kept_and_counted(agent: Agent, model: ScriptedServer) -> None:
    message = tell(agent, "What is this?", png())
    (image,) = images_of(model)
    assert image.size == (640, 480) and image.convert("RGB").getpixel((5, 5))[0] > 250  # type: ignore[index]
    (kept,) = message.pictures
    assert (kept["width"], kept["height"], kept["tokens"], kept["seen"]) == (640, 480, 85 + 170 * 2, True)
    assert default_storage.exists(kept["file"])
    queue = next(section for section in selectors.context_view(agent).sections if section.name == "queue")
    assert queue.tokens >= sum(each.tokens for each in agent.messages.all()) + kept["tokens"]
    assert "base64" not in selectors.context_view(agent).main.prompt.queue_text


def test_a_large_one_is_made_small_and_loses_what_else_was_in_it(agent: Agent, model: ScriptedServer) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera 1234", 6  # its maker; turned by a quarter
    message = tell(agent, "", png(4000, 2000, name="p.jpg", kind="JPEG", exif=exif))
    (image,) = images_of(model)
    assert image.size == (784, 1568) and not image.getexif()
    with default_storage.open(message.pictures[0]["file"]) as file:
        assert b"Camera 1234" not in file.read()


def test_a_clear_picture_stays_clear(agent: Agent, model: ScriptedServer) -> None:
    message = tell(agent, "", png(8, 8, "#ff000000", mode="RGBA"))
    assert message.pictures[0]["kind"] == "image/png"
    assert images_of(model)[0].mode == "RGBA"


def test_old_pictures_leave_the_prompt_with_a_note(agent: Agent, model: ScriptedServer) -> None:
    for number in range(6):
        tell(agent, f"Number {number}", png(8 + number, 8))
    assert [image.width for image in images_of(model)] == [10, 11, 12, 13]
    first = next(m for m in model.requests[-1]["messages"] if "Number 0" in str(m["content"]))
    assert "8 x 8: shown to you when they came, not any more" in str(first["content"])


def test_a_model_that_sees_nothing_is_told_and_so_is_the_person(agent: Agent, model: ScriptedServer) -> None:
    row = Connection.objects.create(name="Blind", base_url=model.url)
    row.offered = [{"name": "blind", "sees": False}]
    row.save()
    services.agent_choose_model(agent=agent, choice=services.ModelChoice(connection=row, model="blind"))
    message = tell(agent, "Look", png())
    assert not parts_of(model)
    assert "you cannot see pictures" in str(model.requests[-1]["messages"])
    assert message.pictures[0]["seen"] is False and message.pictures[0]["tokens"] == 0


def test_a_server_that_refuses_pictures_gets_words_from_then_on(agent: Agent, serve_model: ServeModel) -> None:
    def brain(request: dict[str, Any]) -> Answer:
        if "image_url" in str(request["messages"]):
            return Answer(status=400, body='{"error": {"message": "This model does not support image input"}}')
        return say("I cannot see it.")

    server = serve_model(brain)
    tell(agent, "Look", png())
    assert "You cannot see pictures" in str(server.requests[-1]["messages"])
    asked = len(server.requests)
    tell(agent, "And this?", png())
    assert len(server.requests) == asked + 1


def test_the_same_message_sent_twice_leaves_one_picture(agent: Agent, model: ScriptedServer) -> None:
    for _time in range(2):
        services.message_send(agent=agent, text="Look", idempotency_key="k", pictures=[png()])
    (message,) = agent.messages.exclude(pictures=[])
    assert default_storage.listdir(pictures.FOLDER)[1] == [message.pictures[0]["file"].rpartition("/")[2]]


def test_pictures_go_with_what_they_belong_to(
    agent: Agent, model: ScriptedServer, django_capture_on_commit_callbacks: Any
) -> None:
    services.message_send(agent=agent, text="Look", pictures=[png()])
    services.message_withdraw(message=agent.messages.exclude(pictures=[]).get())
    assert default_storage.listdir(pictures.FOLDER)[1] == []
    tell(agent, "Look", png())
    copy = services.agent_copy(agent=agent, name="Copy")
    for gone, left in ((agent, 1), (copy, 0)):
        with django_capture_on_commit_callbacks(execute=True):
            services.agent_delete(agent=gone)
        assert len(default_storage.listdir(pictures.FOLDER)[1]) == left


def test_a_picture_whose_file_is_gone_is_a_note(agent: Agent, model: ScriptedServer) -> None:
    message = tell(agent, "Look", png())
    default_storage.delete(message.pictures[0]["file"])
    tell(agent, "Still there?")
    assert "Its file is gone" in str(model.requests[-1]["messages"])


BOMB = png(9000, 9000, "white", mode="1", name="bomb.png")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([SimpleUploadedFile("a.png", b"no picture")], "“a.png” is no picture"),
        ([SimpleUploadedFile("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], "“a.svg” is no picture"),
        ([SimpleUploadedFile("cut.png", png().read()[:60])], "“cut.png” is no picture"),
        ([BOMB], "too many pixels"),
        ([png(8, 8) for _number in range(5)], "At most 4 pictures"),
    ],
)
def test_what_cannot_be_taken_is_said_and_leaves_nothing(agent: Agent, files: list[Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        services.message_send(agent=agent, text="Look", pictures=files)
    assert not agent.messages.filter(kind=Message.Kind.USER_MESSAGE).exists()
    assert not default_storage.exists(pictures.FOLDER) or not default_storage.listdir(pictures.FOLDER)[1]


def test_an_edited_message_keeps_its_pictures(agent: Agent, model: ScriptedServer) -> None:
    before = tell(agent, "", png())
    services.turn_edit(agent=agent, text="What is this?", hand=Hand(agent.owner))
    services.run_next(agent_id=agent.pk)
    assert len(images_of(model)) == 1
    assert agent.messages.filter(retracted_at=None).exclude(pictures=[]).get().pictures == before.pictures


def test_a_server_that_refuses_one_picture_gets_the_next(agent: Agent, serve_model: ServeModel) -> None:
    def brain(request: dict[str, Any]) -> Answer:
        if len(server.requests) == 1:
            return Answer(status=400, body='{"error": {"message": "image exceeds 5 MB maximum"}}')
        return say("I see.")

    server = serve_model(brain)
    tell(agent, "Look", png())
    tell(agent, "And this?", png())
    assert images_of(server)


def test_a_new_picture_near_the_flush_mark_is_shown(agent: Agent, model: ScriptedServer) -> None:
    while selectors.context_view(agent).used < 6500:
        tell(agent, "A long story about a lighthouse. " * 30)
        agent.refresh_from_db()
    tell(agent, "Look", png(1500, 1500))
    assert images_of(model)


def test_a_large_clear_picture_is_kept_small(agent: Agent, model: ScriptedServer) -> None:
    noise = Image.effect_noise((1500, 1500), 90).convert("RGBA")
    noise.putalpha(Image.effect_noise((1500, 1500), 90))
    content = BytesIO()
    noise.save(content, "PNG", compress_level=1)
    (kept,) = tell(agent, "", SimpleUploadedFile("noise.png", content.getvalue())).pictures
    assert kept["kind"] == "image/jpeg" and default_storage.size(kept["file"]) < pictures.MOST_KEPT

"""Messages to an agent, and its timeline."""

from typing import Annotated, Any, ClassVar, Literal

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, StrictBool, Tag

from agents import services
from agents.access import owned_by
from agents.exceptions import InvalidInput
from agents.external_context import recall_ranking, recall_storage
from agents.main_context import fifo_queue
from agents.models import Agent, Message
from api.access import agent_for, conversation_for, person
from api.answers import answer, event_stream, read, when, when_ready
from api.asked import LONGEST_TEXT, MOST_NAMES, Body, Listing, Name, Time, between, only_known
from api.errors import Conflict, Unfit, Unknown
from api.ids import key_of, written
from api.letta import shapes, timeline
from api.letta.approvals import ApprovalIn, decide
from api.letta.following import Answering, response, stream
from api.letta.shapes import Shape
from api.listening import agent_listener
from api.sending import Outgoing, send

router = Router(tags=["messages"])

MessageType = Literal[
    "system_message",
    "user_message",
    "assistant_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
    "tool_return_message",
    "approval_request_message",
    "approval_response_message",
    "summary_message",
    "event_message",
]


class TextPart(Body):
    """A stretch of text."""

    NOT_SUPPORTED: ClassVar = frozenset({"signature"})
    NOT_SUPPORTED_VALUES: ClassVar = {
        "type": frozenset(
            "image image_url input_image input_audio input_file file refusal tool_call tool_return reasoning "
            "redacted_reasoning omitted_reasoning summarized_reasoning".split()
        )
    }

    type: Literal["text"] = "text"
    text: str = Field(max_length=LONGEST_TEXT)


Content = (
    Annotated[str, Field(max_length=LONGEST_TEXT)] | Annotated[list[TextPart], Field(min_length=1, max_length=1000)]
)


class MessageIn(Body):
    """What is said to the agent. A `system` message reaches it as a system alert."""

    NOT_SUPPORTED: ClassVar = frozenset({"batch_item_id", "group_id", "name", "sender_id", "tool_returns", "approvals"})
    NOT_SUPPORTED_VALUES: ClassVar = {
        "role": frozenset({"assistant", "tool"}),
        "type": frozenset({"tool_return"}),
    }

    role: Literal["user", "system"]
    content: Content
    otid: Name | None = None
    type: Literal["message"] | None = "message"

    def outgoing(self) -> Outgoing:
        """As it is sent."""
        return Outgoing(text_of(self.content), otid=self.otid or "", alert=self.role == "system")


def _kind(message: Any) -> str:
    kind = message.get("type") if isinstance(message, dict) else getattr(message, "type", None)
    return "approval" if kind == "approval" else "message"


AnyMessage = Annotated[
    Annotated[MessageIn, Tag("message")] | Annotated[ApprovalIn, Tag("approval")], Discriminator(_kind)
]


def text_of(content: Content) -> str:
    """The text of a message's content."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content)


EITHER: list[JsonValue] = [
    {"required": ["messages"], "properties": {"messages": {"type": "array"}, "input": {"type": "null"}}},
    {"required": ["input"], "properties": {"messages": {"type": "null"}, "input": {"type": ["string", "array"]}}},
]


class Sending(Body):
    """What every way to send has."""

    model_config = ConfigDict(json_schema_extra={"oneOf": EITHER})
    NOT_SUPPORTED: ClassVar = frozenset(
        "callback_url client_skills client_tools override_model override_system return_logprobs return_token_ids "
        "top_logprobs include_compaction_messages background".split()
    )

    messages: list[AnyMessage] | None = Field(None, min_length=1, max_length=100)
    input: Content | None = None
    max_steps: int | None = Field(None, ge=1, le=32_000)
    include_return_message_types: list[MessageType] | None = Field(None, max_length=20)
    use_assistant_message: Literal[True] = True
    assistant_message_tool_name: Literal["send_message"] = "send_message"
    assistant_message_tool_kwarg: Literal["message"] = "message"
    enable_thinking: Literal["true", True] = "true"

    def outgoing(self) -> list[Outgoing]:
        """Raises Unfit if there is nothing to send."""
        if (self.messages is None) == (self.input is None):
            raise Unfit("messages", _("Send either `messages` or `input`."))
        if self.input is not None:
            return [Outgoing(text_of(self.input))]
        if not self.messages:
            raise Unfit("messages", _("There is no message to send."))
        return [message.outgoing() for message in self.messages if isinstance(message, MessageIn)]

    def approvals(self) -> list[ApprovalIn]:
        """Decisions about calls that wait. Raises Unfit if there is anything else beside them."""
        given = [message for message in self.messages or () if isinstance(message, ApprovalIn)]
        if given and (len(given) < len(self.messages or ()) or self.input is not None):
            raise Unfit("messages", _("Send approvals alone: a message waits until the run has ended."))
        return given

    def types(self) -> frozenset[str]:
        """The types of messages that are wanted; none named: all."""
        return frozenset(self.include_return_message_types or ())


class MessagesCreate(Sending):
    """A message, answered when its run has ended, or as a stream."""

    streaming: StrictBool = False
    stream_tokens: StrictBool = False
    include_pings: StrictBool = True


class LettaResponse(BaseModel):
    """What the agent thought, called and said, why it stopped, and what that took."""

    messages: list[dict[str, Any]]
    stop_reason: dict[str, Any]
    usage: dict[str, Any]


def _sent(request: HttpRequest, agent_id: str, payload: Sending) -> Answering:
    agent = agent_for(request, agent_id)
    if given := payload.approvals():
        with transaction.atomic():
            return Answering(agent, decide(agent, given), after=agent.next_seq - 1)
    return Answering(agent, [run.pk for run in send(request, agent, payload.outgoing(), payload.max_steps)])


@router.post("/agents/{agent_id}/messages", response=LettaResponse)
@only_known
async def message_create(request: HttpRequest, agent_id: str, payload: MessagesCreate) -> HttpResponseBase:
    """Say something to the agent and wait for its answer. A run that fails is told in `stop_reason`, with status 200:
    the message was taken, and is not to be sent again."""
    sent = await read(_sent, request, agent_id, payload)
    if payload.streaming:
        return event_stream(stream(sent, payload.types(), tokens=payload.stream_tokens))
    return await when_ready(response(sent, payload.types()))


@router.post("/agents/{agent_id}/messages/stream", response={200: str})
@only_known
async def message_stream(request: HttpRequest, agent_id: str, payload: MessagesCreate) -> HttpResponseBase:
    """Say something to the agent; its answer comes as server-sent events."""
    sent = await read(_sent, request, agent_id, payload)
    return event_stream(stream(sent, payload.types(), tokens=payload.stream_tokens))


@router.post("/agents/{agent_id}/messages/async", response=dict)
@only_known
def message_create_async(request: HttpRequest, agent_id: str, payload: Sending) -> HttpResponse:
    """Say something to the agent. The run is told at once; ask for it by its id."""
    sent = _sent(request, agent_id, payload)
    return answer(shapes.run(sent.agent.runs.get(pk=sent.runs[-1])))


class MessageListing(Listing):
    """Messages, newest first unless asked otherwise."""

    NOT_SUPPORTED: ClassVar = frozenset({"group_id", "include_err"})

    include_return_message_types: list[MessageType] | None = Field(None, max_length=20)
    use_assistant_message: Literal["true", "True"] = "true"
    assistant_message_tool_name: Literal["send_message"] = "send_message"
    assistant_message_tool_kwarg: Literal["message"] = "message"
    conversation_id: Name | None = None


@router.get("/agents/{agent_id}/messages", response=list[dict[str, Any]])
@only_known
def message_list(request: HttpRequest, agent_id: str, asked: Query[MessageListing]) -> HttpResponse:
    """The timeline: what was said, thought, called and returned, and events as system messages."""
    agent = agent_for(request, agent_id)
    if asked.conversation_id and conversation_for(request, asked.conversation_id) != agent:
        raise Unknown("conversation", asked.conversation_id)
    types = frozenset(asked.include_return_message_types or ())
    return answer(timeline.page(timeline.rows_of(agent), asked, newest_first=True, types=types))


class Cancel(Body):
    """Which runs to stop; all of the agent's without a list."""

    run_ids: list[Name] | None = Field(None, max_length=MOST_NAMES)


@router.post("/agents/{agent_id}/messages/cancel", response=dict[str, str])
@only_known
def message_cancel(request: HttpRequest, agent_id: str, payload: Cancel | None = None) -> HttpResponse:
    """Stop what the agent is doing. What it wrote so far is kept."""
    agent = agent_for(request, agent_id)
    wanted = None
    if payload and payload.run_ids is not None:
        wanted = [key for text in payload.run_ids if (key := key_of("run", text)) is not None]
    stopped = services.runs_cancel(agent=agent, runs=wanted)
    return answer({written("run", run): "cancelled" for run in stopped})


class Reset(Body):
    """How to begin anew."""

    add_default_initial_messages: StrictBool = False


@router.patch("/agents/{agent_id}/reset-messages", response=dict)
@only_known
def message_reset(request: HttpRequest, agent_id: str, payload: Reset | None = None) -> HttpResponse:
    """Take back the whole conversation. Core memory and passages stay."""
    agent = agent_for(request, agent_id)
    try:
        services.messages_reset(agent=agent)
    except InvalidInput as error:  # it is at work
        raise Conflict(str(error)) from error
    if payload and payload.add_default_initial_messages:
        services.agent_greet(agent=agent)
    return answer(shapes.agent(agent_for(request, agent_id)))


class Compact(Body):
    """memweb decides itself how much is evicted."""

    NOT_SUPPORTED: ClassVar = frozenset({"compaction_settings"})


class Compaction(BaseModel):
    """What was left in the window, and the summary of what was evicted."""

    summary: str
    num_messages_before: int
    num_messages_after: int


@router.post("/agents/{agent_id}/summarize", response=Compaction)
@only_known
async def message_compact(request: HttpRequest, agent_id: str, payload: Compact | None = None) -> HttpResponseBase:
    """Evict the oldest messages now and wait for their summary. A queue that is too short stays as it is."""
    agent = await read(agent_for, request, agent_id)
    return await when_ready(_compacted(agent))


async def _compacted(agent: Agent) -> Shape:
    before = await read(_in_window, agent)
    async with agent_listener(agent.pk) as listener:
        if await read(lambda: services.queue_flush(agent=agent)):
            while not await read(_is_summarised, agent):
                await listener.heard()
    after = await read(_in_window, agent)
    summary = await read(lambda: Agent.objects.select_related("summary").get(pk=agent.pk).summary)
    text = summary.text if summary else ""
    return {"summary": text, "num_messages_before": before, "num_messages_after": after}


def _in_window(agent: Agent) -> int:
    agent.refresh_from_db(fields=["queue_start"])
    return fifo_queue.rows_of(agent, agent.queue_start).count()


def _is_summarised(agent: Agent) -> bool:
    agent = Agent.objects.select_related("summary").get(pk=agent.pk)
    return agent.summary is not None and agent.summary.covers_to >= agent.queue_start


class Search(Body):
    """What to look for in what was said, by meaning and by words."""

    NOT_SUPPORTED: ClassVar = frozenset({"conversation_id"})
    NOT_SUPPORTED_VALUES: ClassVar = {"search_mode": frozenset({"fts", "vector"})}

    query: str = Field(min_length=1, max_length=2000)
    agent_id: Name | None = None
    search_mode: Literal["hybrid"] = "hybrid"
    limit: int = Field(50, ge=1, le=100)
    start_date: Time | None = None
    end_date: Time | None = None


class Found(BaseModel):
    """A message that was found."""

    message_type: str
    message_id: str
    agent_id: str
    created_at: str
    content: str


@router.post("/messages/search", response=list[Found])
@only_known
def message_search(request: HttpRequest, payload: Search) -> HttpResponse:
    """Search recall storage: of one agent, or of all of them."""
    mine = owned_by(Agent, person(request))
    hits = []
    for agent in [agent_for(request, payload.agent_id)] if payload.agent_id else mine:
        rows = between(recall_storage.spoken(agent), payload.start_date, payload.end_date)
        hits += recall_ranking.search(agent, rows, payload.query)
    found = [hit.row for hit in sorted(hits, key=lambda hit: -hit.score)[: payload.limit]]
    prefetch_related_objects(found, "step", "run")
    return answer([_found(row) for row in found])


def _found(row: Message) -> Shape:
    person_said = row.kind == Message.Kind.USER_MESSAGE
    return {
        "message_type": "user_message" if person_said else "assistant_message",
        "message_id": timeline.id_of(row, "" if person_said else "said"),
        "agent_id": written("agent", row.agent_id),
        "created_at": when(row.created_at),
        "content": row.content,
    }

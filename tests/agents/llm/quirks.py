"""How model servers differ in what they stream, a row for each way, and what is to be made of it."""

import json
from dataclasses import dataclass
from typing import Any

from agents.llm.scripted import Answer

Event = dict[str, Any]
Call = tuple[str, dict[str, Any]]

NOTE: Call = ("core_memory_append", {"label": "human", "content": "Likes tea.", "request_heartbeat": True})
SAY: Call = ("send_message", {"inner_thoughts": "b", "message": "Noted.", "request_heartbeat": False})
TEXT, NOTE_TEXT = json.dumps(SAY[1]), json.dumps(NOTE[1])
OBJECT = json.dumps({"name": SAY[0], "arguments": SAY[1]})


@dataclass(frozen=True)
class Stream:
    """An answer as a server sends it. `calls` are right; or, where it is no answer, `told` stands in the error."""

    name: str
    answer: Answer
    calls: tuple[Call, ...] = (SAY,)
    told: str = ""
    thought: str = ""  # stands in the inner monologue
    unthought: str = "\x00"  # does not

    def __str__(self) -> str:
        return self.name


def delta(choice: Event | None = None, /, **fields: Any) -> Event:
    """An event with that in its delta."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None, **(choice or {})}]}


def end(reason: Any = "stop", **fields: Any) -> Event:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **fields}


def piece(arguments: Any = None, name: Any = None, **head: Any) -> Event:
    """An event with one piece of a call."""
    function = {"name": name, "arguments": arguments}
    return delta(tool_calls=[{**head, "function": {k: v for k, v in function.items() if v is not None}}])


def sends(name: str, *events: Event | str, **right: Any) -> Stream:
    return Stream(name, Answer(events=events), **right)


def says(name: str, content: str, *, size: int = 0, **right: Any) -> Stream:
    """Text, in pieces of `size` characters."""
    size = size or len(content)
    parts = [delta(content=content[start : start + size]) for start in range(0, len(content), size)]
    return Stream(name, Answer(events=(*parts, end())), **right)


def body(name: str, content: Any, kind: str = "application/json", **right: Any) -> Stream:
    text = content if isinstance(content, str) else json.dumps(content)
    return Stream(name, Answer(content_type=kind, body=text), **right)


def lines(*events: Event, form: str = "data: {}\n\n", last: str = "data: [DONE]\n\n") -> str:
    """Events in another form than a blank line after each."""
    return "".join(form.replace("{}", json.dumps(event)) for event in events) + last


def message(**fields: Any) -> Event:
    """A whole completion."""
    return {"choices": [{"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}]}


HALF = len(TEXT) // 2
FIRST, LAST = TEXT[:HALF], TEXT[HALF:]
BOTH = (NOTE, SAY)
WHOLE_CALL = {"id": "c1", "type": "function", "function": {"name": SAY[0], "arguments": TEXT}}
SAID = piece(TEXT, SAY[0], index=0, id="a")
SAMPLE = (piece(FIRST, SAY[0], index=0, id="a"), piece(LAST, index=0), end("tool_calls"))
XML = (
    "<function=send_message>\n<parameter=inner_thoughts>\nb\n</parameter>\n<parameter=message>\nNoted.\n</parameter>\n"
    "<parameter=request_heartbeat>\nfalse\n</parameter>\n</function>"
)
INVOKE = (
    '<function_calls><invoke name="send_message"><parameter name="inner_thoughts">b</parameter>'
    '<parameter name="message">Noted.</parameter><parameter name="request_heartbeat">false</parameter></invoke>'
    "</function_calls>"
)
PYTHON = 'send_message(inner_thoughts="b", message="Noted.", request_heartbeat=False)'
IN_SCHEMA = json.dumps({"inner_thoughts": "b", "call": {"name": SAY[0], "arguments": SAY[1]}})

STREAMS = (
    # which call a piece belongs to
    sends(
        "parallel calls, honest",
        piece(NOTE_TEXT, NOTE[0], index=0, id="a"),
        piece(FIRST, SAY[0], index=1, id="b"),
        piece(LAST, index=1),
        end("tool_calls"),
        calls=BOTH,
    ),
    sends("parallel calls without indexes", piece(NOTE_TEXT, NOTE[0], id="a"), piece(TEXT, SAY[0], id="b"), calls=BOTH),
    sends(
        "parallel calls, all of index 0",
        piece(NOTE_TEXT, NOTE[0], index=0, id="a"),
        piece(FIRST, SAY[0], index=0, id="b"),
        piece(LAST, index=0),
        calls=BOTH,
    ),
    sends(
        "parallel calls without ids and indexes",
        piece(NOTE_TEXT, NOTE[0]),
        piece(FIRST, SAY[0]),
        piece(LAST),
        calls=BOTH,
    ),
    sends(
        "parallel calls with empty ids, index 0",
        piece(NOTE_TEXT, NOTE[0], index=0, id=""),
        piece(TEXT, SAY[0], index=0, id=""),
        calls=BOTH,
    ),
    sends(
        "indexes as strings",
        piece(NOTE_TEXT, NOTE[0], index="0", id="a"),
        piece(FIRST, SAY[0], index="1", id="b"),
        piece(LAST, index="1"),
        calls=BOTH,
    ),
    sends(
        "indexes from one, ids as numbers",
        piece(NOTE_TEXT, NOTE[0], index=1, id=7),
        piece(TEXT, SAY[0], index=2, id=8),
        calls=BOTH,
    ),
    sends(
        "pieces of two calls in turn",
        piece("", NOTE[0], index=0, id="a"),
        piece("", SAY[0], index=1, id="b"),
        piece(NOTE_TEXT[:9], index=0),
        piece(FIRST, index=1),
        piece(NOTE_TEXT[9:], index=0),
        piece(LAST, index=1),
        calls=BOTH,
    ),
    sends(
        "two calls in one event, index doubled",
        delta(
            tool_calls=[
                {"index": 0, "id": "a", "function": {"name": NOTE[0], "arguments": NOTE_TEXT}},
                {"index": 0, "id": "b", "function": {"name": SAY[0], "arguments": TEXT}},
            ]
        ),
        calls=BOTH,
    ),
    sends(
        "the same function twice, without ids",
        piece(NOTE_TEXT, NOTE[0], index=0),
        piece(NOTE_TEXT.replace("tea", "rum"), NOTE[0], index=1),
        piece(TEXT, SAY[0], index=2),
        calls=(NOTE, (NOTE[0], {**NOTE[1], "content": "Likes rum."}), SAY),
    ),
    sends(
        "another id with each piece",
        piece(FIRST, SAY[0], index=0, id="a"),
        piece(LAST[:5], index=0, id="b"),
        piece(LAST[5:], index=0, id="c"),
        end("tool_calls"),
    ),
    sends(
        "another id with each piece, no index",
        piece(FIRST, SAY[0], id="a"),
        piece(LAST[:5], id="b"),
        piece(LAST[5:], id="c"),
    ),
    sends(
        "an id and a name first, null after",
        piece("", SAY[0], index=0, id="a"),
        delta(tool_calls=[{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": FIRST}}]),
        delta(tool_calls=[{"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": LAST}}]),
    ),
    sends("one call as an object, not a list", delta(tool_calls=WHOLE_CALL), end("tool_calls")),
    sends(
        "the call again, whole, in the last message",
        *SAMPLE[:2],
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "stop",
                    "message": {"content": None, "tool_calls": [{**WHOLE_CALL, "id": "a"}]},
                }
            ]
        },
    ),
    # names
    sends("a prefix of a template on the name", piece(TEXT, "functions.send_message", index=0, id="a")),
    sends("a number behind the name", piece(TEXT, "functions.send_message:0", index=0, id="a")),
    sends("a channel behind the name", piece(TEXT, "send_message<|channel|>commentary", index=0, id="a")),
    sends("a channel before the name", piece(TEXT, "<|channel|>commentary to=functions.send_message", index=0)),
    sends("dashes and capitals in the name", piece(TEXT, "Send-Message", index=0, id="a")),
    sends("blanks around the name", piece(TEXT, " send_message\n", index=0, id="a")),
    sends(
        "the name in pieces",
        piece(None, "send_", index=0, id="a"),
        piece(None, "message", index=0),
        piece(TEXT, index=0),
    ),
    sends(
        "the name with each piece",
        piece(FIRST, SAY[0], index=0, id="a"),
        piece(LAST[:4], SAY[0], index=0, id="a"),
        piece(LAST[4:], SAY[0], index=0, id="a"),
    ),
    sends(
        "a decorated name with each piece",
        piece(FIRST, "functions.send_message", index=0),
        piece(LAST[:4], "functions.send_message", index=0),
        piece(LAST[4:], "functions.send_message", index=0),
    ),
    sends("the arguments before the name", piece(FIRST, index=0, id="a"), piece(LAST, SAY[0], index=0, id="a")),
    # arguments
    sends("arguments as an object", piece(SAY[1], SAY[0], index=0, id="a")),
    sends("arguments named parameters, no function", delta(tool_calls=[{"name": SAY[0], "parameters": SAY[1]}])),
    sends("arguments again, whole", *SAMPLE[:2], piece(TEXT, index=0), end("tool_calls")),
    sends("arguments again, whole, with the name", *SAMPLE[:2], piece(TEXT, SAY[0], index=0), end("tool_calls")),
    sends(
        "all arguments so far each time",
        piece(TEXT[:5], SAY[0], index=0, id="a"),
        piece(FIRST, index=0),
        piece(TEXT, index=0),
    ),
    sends(
        "null arguments first",
        piece(FIRST, SAY[0], index=0, id="a"),
        delta(tool_calls=[{"index": 0, "function": {"arguments": None}}]),
        piece(LAST, index=0),
    ),
    sends("arguments encoded twice", piece(json.dumps(TEXT), SAY[0], index=0, id="a")),
    sends(
        "arguments encoded twice, in pieces",
        piece(json.dumps(TEXT)[:30], SAY[0], index=0),
        piece(json.dumps(TEXT)[30:], index=0),
    ),
    sends("the name once more in the arguments", piece(OBJECT, SAY[0], index=0, id="a")),
    sends("arguments in arguments, as text", piece(json.dumps({"arguments": TEXT}), SAY[0], index=0, id="a")),
    sends("an empty object first", piece("{}", SAY[0], index=0, id="a"), piece(TEXT, index=0, id="a")),
    sends("a template's end behind the arguments", piece(TEXT + "<|call|>", SAY[0], index=0, id="a")),
    sends(
        "the old form",
        delta(function_call={"name": SAY[0], "arguments": FIRST}),
        delta(function_call={"arguments": LAST}),
        end("function_call"),
    ),
    # calls as text
    says("a call in tags", f"<tool_call>\n{OBJECT}\n</tool_call>", size=5),
    says(
        "two calls in tags",
        f"<tool_call>{json.dumps({'name': NOTE[0], 'arguments': NOTE[1]})}</tool_call>\n"
        f"<tool_call>{OBJECT}</tool_call>",
        calls=BOTH,
    ),
    says("a call behind a mark", f"[TOOL_CALLS][{OBJECT}]"),
    says("a name and an object behind a mark", f"[TOOL_CALLS]send_message{TEXT}"),
    says("a name, a mark and an object", f"[TOOL_CALLS]send_message[ARGS]{TEXT}"),
    says("a call in a fence", f"Here:\n```json\n{OBJECT}\n```", thought="Here", unthought="```"),
    says("a call in a tag of its own", XML, unthought="parameter"),
    says("a tagged call in a tag", f"<tool_call>\n{XML}\n</tool_call>", unthought="tool_call"),
    says("an invocation", INVOKE, unthought="invoke"),
    says("a function's name in its tag", f"<function=send_message>{TEXT}</function>", unthought="function"),
    says(
        "a channel as text",
        f"<|channel|>commentary to=functions.send_message <|constrain|>json<|message|>{TEXT}<|call|>",
    ),
    says(
        "thoughts in a channel, then a call",
        "<|channel|>analysis<|message|>I greet.<|end|><|start|>assistant<|channel|>"
        f"commentary to=functions.send_message<|message|>{TEXT}<|call|>",
    ),
    says("a call in Python", PYTHON),
    says("a call in Python, in a list", f"[{PYTHON}]"),
    says(
        "a call in Python with a bracket in its text",
        PYTHON.replace("Noted.", "Noted (twice)."),
        calls=((SAY[0], {**SAY[1], "message": "Noted (twice)."}),),
    ),
    says("a call in a tool's code", f"```tool_code\nprint(default_api.{PYTHON})\n```"),
    says(
        "a python tag before a call",
        f'<|python_tag|>{{"type": "function", "name": "send_message", "parameters": {TEXT}}}',
    ),
    says(
        "a call and its arguments between marks of their own",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
        f"send_message\n```json\n{TEXT}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        unthought="tool▁",
    ),
    says(
        "a call between numbered marks",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.send_message:0"
        f"<|tool_call_argument_begin|>{TEXT}<|tool_call_end|><|tool_calls_section_end|>",
        unthought="tool_call",
    ),
    says(
        "keys and values in tags",
        "<tool_call>send_message\n<arg_key>inner_thoughts</arg_key>\n<arg_value>b</arg_value>\n"
        "<arg_key>message</arg_key>\n<arg_value>Noted.</arg_value>\n<arg_key>request_heartbeat</arg_key>\n"
        "<arg_value>false</arg_value>\n</tool_call>",
        unthought="arg_key",
    ),
    says("the object of the other mode", IN_SCHEMA, size=7),
    says(
        "the object of the other mode, behind thoughts, fenced",
        f"<think>\nHm.\n</think>\n\n```json\n{IN_SCHEMA}\n```",
        thought="Hm.",
    ),
    # thoughts
    says(
        "thoughts in tags",
        f"<think>Let me.</think><tool_call>{OBJECT}</tool_call>",
        size=3,
        thought="Let me.",
        unthought="think>",
    ),
    says(
        "thoughts whose tag was never opened",
        f"Let me.\n</think>\n<tool_call>{OBJECT}</tool_call>",
        size=4,
        thought="Let me.",
        unthought="think>",
    ),
    says(
        "thoughts in brackets",
        f"[THINK]Let me.[/THINK]<tool_call>{OBJECT}</tool_call>",
        size=2,
        thought="Let me.",
        unthought="THINK",
    ),
    sends(
        "thoughts in typed parts",
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Let me"}]}]),
        delta(content=[{"type": "text", "text": " see."}]),
        SAID,
        end("tool_calls"),
        thought="Let me",
    ),
    sends("thoughts under another name, an object", delta(reasoning={"content": "Let me."}), SAID, thought="Let me."),
    sends(
        "thoughts as details",
        delta(reasoning="Let me.", reasoning_details=[{"type": "reasoning.text", "text": "Let me."}]),
        SAID,
        thought="Let me.",
    ),
    sends("one typed part, no list", delta(content={"type": "text", "text": "Aloud."}), SAID, thought="Aloud."),
    sends("a list of plain strings", delta(content=["Alo", "ud."]), SAID, thought="Aloud."),
    # fields
    sends(
        "null in every field",
        {
            "id": None,
            "object": None,
            "model": None,
            "usage": None,
            "error": None,
            "choices": [
                {
                    "index": None,
                    "delta": {
                        "role": None,
                        "content": None,
                        "tool_calls": None,
                        "function_call": None,
                        "refusal": None,
                        "reasoning_content": None,
                    },
                    "finish_reason": None,
                    "logprobs": None,
                }
            ],
        },
        SAID,
    ),
    sends(
        "another type in every field",
        {"id": 1, "model": 2, "usage": "none", "choices": {"index": "0", "delta": []}},
        delta(content=5, tool_calls="none", refusal=False, reasoning_content=[1]),
        {"choices": "none"},
        {"choices": [None, 3]},
        {"usage": {"prompt_tokens": "many", "completion_tokens": -1, "prompt_tokens_details": 5}},
        SAID,
        end(7),
    ),
    sends("pieces that are no objects", "data: null\n\n", "data: 3\n\n", 'data: "x"\n\n', "data: []\n\n", SAID),
    sends("a call without a function", delta(tool_calls=[{"index": 0, "id": "a", "function": None}, None, 3]), SAID),
    sends(
        "usage at the end",
        SAID,
        end("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 8}},
    ),
    sends(
        "usage with each piece",
        *({**event, "usage": {"prompt_tokens": 90, "completion_tokens": n}} for n, event in enumerate(SAMPLE)),
    ),
    sends(
        "several choices",
        {"choices": [{"index": 1, "delta": {"content": "No!"}}, {"index": 0, "delta": {}}]},
        SAID,
        {
            "choices": [
                {
                    "index": 1,
                    "delta": {
                        "tool_calls": [{"index": 0, "id": "z", "function": {"name": NOTE[0], "arguments": NOTE_TEXT}}]
                    },
                }
            ]
        },
        end("tool_calls"),
    ),
    sends("an empty error", {"error": {}, "choices": []}, {"error": "", **SAID}),
    # how events are written
    body(
        "comments and empty events", ": waiting\n\ndata:\n\ndata: \n\n: still\n" + lines(*SAMPLE), "text/event-stream"
    ),
    body("a ping", 'event: ping\ndata: {"type": "ping"}\n\n' + lines(*SAMPLE), "text/event-stream"),
    body("line ends of another kind", lines(*SAMPLE, form="data: {}\r\n\r\n"), "text/event-stream"),
    body("no blank behind data", lines(*SAMPLE, form="data:{}\n\n", last="data:[DONE]\n\n"), "text/event-stream"),
    body("no blank lines between", lines(*SAMPLE, form="data: {}\n", last="data: [DONE]\n"), "text/event-stream"),
    body("no end", lines(*SAMPLE, last="").rstrip("\n"), "text/event-stream"),
    body(
        "an event on several lines",
        "\n".join(f"data: {line}" for line in json.dumps(SAID, indent=1).splitlines()) + "\n\ndata: [DONE]\n\n",
        "text/event-stream",
    ),
    body("a mark of the encoding first", "\ufeff" + lines(*SAMPLE), "text/event-stream"),
    body(
        "named events, numbered",
        lines(*SAMPLE, form="id: 1\nevent: message\nretry: 5\ndata: {}\n\n"),
        "text/event-stream",
    ),
    body("data twice before each event", lines(*SAMPLE, form="data: data: {}\n\n"), "text/event-stream"),
    body("events in another type", lines(*SAMPLE), "application/json"),
    body("a line of JSON each", lines(*SAMPLE, form="{}\n", last=""), "application/x-ndjson"),
    body(
        "a line of JSON each, of another interface",
        lines(
            {
                "model": "m",
                "message": {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"function": {"name": SAY[0], "arguments": SAY[1]}}],
                },
                "done": False,
            },
            {"model": "m", "done": True, "done_reason": "stop"},
            form="{}\n",
            last="",
        ),
        "application/x-ndjson",
    ),
    body("a list of events", json.dumps(SAMPLE)),
    # whole answers
    body("a whole completion", message(content=None, tool_calls=[WHOLE_CALL])),
    body("a whole completion, laid out", json.dumps(message(content=None, tool_calls=[WHOLE_CALL]), indent=2)),
    body("a whole completion, called a stream", message(content="", tool_calls=[WHOLE_CALL]), "text/event-stream"),
    body("a whole completion in an event", lines(message(content="", tool_calls=[WHOLE_CALL])), "text/event-stream"),
    body(
        "a whole completion in the old form", message(content=None, function_call={"name": SAY[0], "arguments": TEXT})
    ),
    body(
        "a whole completion with typed parts",
        message(content=[{"type": "text", "text": "Aloud."}], tool_calls=[WHOLE_CALL]),
        thought="Aloud.",
    ),
    # no answer
    sends(
        "a refusal", delta(refusal="I can't help"), delta(refusal=" with that."), end(), told="can't help with that."
    ),
    sends("a refusal in a part", delta(content=[{"type": "refusal", "refusal": "Not that."}]), end(), told="Not that."),
    body("a refusal, whole", message(content=None, refusal="Not that."), told="Not that."),
    sends("a filter", delta(role="assistant", content=""), end("content_filter"), told="content filter"),
    sends("a filter of another name", end("SAFETY"), told="content filter"),
    sends(
        "a filter that speaks of the prompt",
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        end("content_filter"),
        told="content filter",
    ),
    body("an error object", {"error": {"message": "Weights are gone.", "code": 500}}, told="Weights are gone."),
    body("an error as text", {"error": "Weights are gone."}, told="Weights are gone."),
    body(
        "an error in a list",
        [{"error": {"message": "Weights are gone.", "status": "INTERNAL"}}],
        told="Weights are gone.",
    ),
    body(
        "an error without that name",
        {"object": "error", "message": "Weights are gone.", "code": 50001},
        told="Weights are gone.",
    ),
    body(
        "an error in other fields",
        {"success": False, "code": 1305, "msg": "Weights are gone."},
        told="Weights are gone.",
    ),
    body(
        "a page of the web",
        "<!doctype html><html><head><title>Portal</title></head><body>Sign in</body></html>",
        "text/html",
        told="OPENAI_BASE_URL",
    ),
    body("plain text", "It works!", "text/plain", told="It works!"),
    sends(
        "an error in the middle",
        delta(content="Let"),
        {"error": {"message": "Weights are gone.", "code": 500}},
        told="Weights are gone.",
    ),
    sends(
        "an error event in the middle",
        piece(FIRST, SAY[0], index=0, id="a"),
        'event: error\ndata: {"message": "Weights are gone.", "type": "server_error"}\n\n',
        told="Weights are gone.",
    ),
    sends(
        "an error that is no JSON, in the middle",
        piece(FIRST, SAY[0], index=0, id="a"),
        "data: Weights are gone.\n\n",
        told="Weights are gone.",
    ),
    sends(
        "an error as a line of its own",
        delta(content="Let"),
        'error: {"message": "Weights are gone."}\n\n',
        told="Weights are gone.",
    ),
    sends(
        "an error as a finish reason",
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "Weights are gone."},
                }
            ]
        },
        told="Weights are gone.",
    ),
    body("nothing", " ", "text/event-stream", told="empty answer"),
    body("only an end", "data: [DONE]\n\n", "text/event-stream", told="empty answer"),
)

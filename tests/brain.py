"""A scripted model with manners: enough sense to hold the conversations of the tests with the whole product, and of the
screenshots."""

import json
import re

from agents.llm.scripted import Answer, Request, call, last_event, say

LONG = " ".join(
    f"Line {n} of a long story about a lighthouse and the people who kept its lamp burning." for n in range(40)
)


def brain(request: Request) -> Answer:
    """Reacts to the newest event: a message by its words, a result by answering."""
    if "tools" not in request and "response_format" not in request:
        return Answer(content="They talked about the harbour and the lighthouse.")
    event = last_event(request)
    if "status" in event:
        return _after(event, request)
    return _to(str(event.get("message", "")))


def _to(text: str) -> Answer:
    return _to_a_fact(text) or _to_a_trial(text) or _to_a_word(text)


def _to_a_fact(text: str) -> Answer | None:
    if name := re.search(r"my name is (\w+)", text, re.IGNORECASE):
        thoughts = f"They are called {name[1]}. That belongs in core memory, so that I never ask again."
        return call("core_memory_append", thoughts=thoughts, label="human", content=f"Name: {name[1]}.")
    if moved := re.search(r"moved to (\w+)", text, re.IGNORECASE):
        thoughts = f"A changed fact: they live in {moved[1]} now."
        return call("core_memory_append", thoughts=thoughts, label="human", content=f"Lives in {moved[1]}.")
    if works := re.search(r"works at (\w+)", text):
        line = f"Works at {works[1]}."
        return call("core_memory_append", thoughts="Where they work.", label="human", content=line, pause=0.1)
    return None


def _to_a_trial(text: str) -> Answer | None:
    if "break down" in text:
        return Answer(status=400, body='{"error": {"message": "The model is out of order."}}')
    if "never end" in text:
        return say("Still. " * 400, thoughts="On and on.", pause=0.1)
    if asked := re.fullmatch(r"call (\w+)(?: (\{.*\}))?", text):
        return call(asked[1], thoughts="They want me to call it.", **json.loads(asked[2] or "{}"))
    if "read only" in text:
        return call("core_memory_append", thoughts="I try.", label="rules", content="x")
    return None


def _to_a_word(text: str) -> Answer:
    if "circles" in text:
        return call("core_memory_append", thoughts="Round and round.", label="nowhere", content="x")
    if "file this" in text:
        return call("archival_memory_insert", thoughts="For later.", content=text.partition(":")[2].strip())
    if "code" in text:
        return say("```python\nlamp = 1871  # lit\n```", thoughts="Some code.")
    if "look up" in text or "document" in text:
        return call("archival_memory_search", thoughts="It may be in a document.", query=text)
    if "long story" in text:
        return say(LONG, thoughts="They want a story.", pause=0.02)
    if "slow" in text:
        return say("One word at a time, slowly, because you asked for it. " * 3, thoughts="Slowly.", pause=0.12)
    if "<script>" in text:
        return say("<script>document.title='broken'</script><img src=x onerror=alert(1)> **safe**")
    return say(f"You said: *{text[:80]}*", thoughts="Small talk; I answer.")


def _after(event: dict[str, object], request: Request) -> Answer:
    found = str(event["message"])
    if "no block “nowhere”" in found:
        return call("core_memory_append", thoughts="Round and round.", label="nowhere", content="x")
    if "read-only" in found:
        return say("I may not change that.", thoughts="Refused.")
    if found.startswith("Done"):
        return say("Lovely to know that. I have written it down.", thoughts="Saved. Now I answer.")
    return say(f"I found this: {found[:300]}", thoughts="That is what I looked for.")

"""The fixed beginnings of the small prompts: an instruction and examples given as turns.

Each beginning stays the same for ever, so that the server keeps it cached; what changes comes after it.
"""

from agents.llm.types import ChatMessage

_LABEL_RULES = """You sort the messages a user sends to an assistant that keeps notes about them. Answer with one word:
chat: small talk, general knowledge, advice, a task; nothing lasting about the user
known: asks for something that the notes say
new: tells a lasting fact about the user or their life that the notes lack
changed: tells that something in the notes is different now
style: says how the assistant should talk or behave
save: asks to store something in the archive
find: asks for something of the user's that the notes do not say, or to look in the archive
past: asks what was said in an earlier conversation"""

_LABEL_EXAMPLES = (
    ("(nothing known yet)", "Good evening!", "chat"),
    ("Name: Olga. Plays the cello.", "What instrument do I play?", "known"),
    ("Name: Olga. Plays the cello.", "I go to chess club every Thursday.", "new"),
    ("Name: Olga. Chess club on Thursday.", "Chess club is on Tuesdays now.", "changed"),
    ("Name: Olga. Plays the cello.", "How does a rainbow form?", "chat"),
    ("Name: Olga. Plays the cello.", "Answer in short sentences from now on.", "style"),
    ("Name: Olga. Plays the cello.", "Put this in the archive: the gym locker code is 7730.", "save"),
    ("Name: Olga. Plays the cello.", "Look up the gym locker code in the archive.", "find"),
    ("Name: Olga. Plays the cello.", "What did I say about the telescope the other day?", "past"),
    ("Name: Jon.", "When is my exam?", "find"),
    ("Name: Jon. Shoe size: 44.", "Do you know my shoe size?", "known"),
    ("Name: Jon. Drinks coffee every morning.", "I gave up coffee, I only drink tea.", "changed"),
    ("Name: Jon.", "Keep in mind that my landlord is called Viktor.", "new"),
    ("Name: Jon. Speaks Finnish.", "I love old maps.", "new"),
    ("Name: Jon. Speaks Finnish.", "I'm afraid of heights.", "new"),
    ("Name: Jon.", "Thanks, that helps a lot!", "chat"),
    ("Name: Jon.", "Suggest something for a rainy afternoon.", "chat"),
    ("Name: Jon. Speaks Finnish.", "How are you today?", "chat"),
    ("姓名：王芳。在银行上班。", "我在哪儿上班？", "known"),
    ("姓名：王芳。", "我每天早上六点去游泳。", "new"),
    ("姓名：王芳。喜欢喝咖啡。", "我现在不喝咖啡了，改喝绿茶。", "changed"),
    ("姓名：王芳。", "我们上次聊的那部电影叫什么？", "past"),
    ("姓名：王芳。", "今天天气真好啊！", "chat"),
)

_WRITE_RULES = """You keep short notes about the user. Write what the message says as one short note in the language of
the message, with every name and number in it, and nothing that it does not say. If the message makes one of the
numbered lines untrue, `replaces` is that line's number and the note is the corrected line; otherwise `replaces` is
0."""

_OLGA, _JON, _WANG = "Name: Olga.", "Name: Jon.", "姓名：王芳。"
_WRITE_EXAMPLES = (
    ("fact", (_OLGA, "Plays the cello."), "I go to chess club every Thursday.", 0, "Chess club every Thursday."),
    ("fact", (_OLGA, "Chess club every Thursday."), "Chess club is on Tuesdays now.", 2, "Chess club on Tuesdays."),
    (
        "fact",
        (),
        "I'm Jon, I study physics and my landlord is called Viktor.",
        0,
        "Name: Jon. Studies physics. Landlord: Viktor.",
    ),
    (
        "fact",
        (_JON, "Speaks Finnish.", "Drinks coffee every morning."),
        "I gave up coffee, I only drink tea.",
        3,
        "Drinks tea, no coffee.",
    ),
    ("fact", (_JON, "Shoe size: 44."), "Keep in mind that my exam is on the 9th.", 0, "Exam on the 9th."),
    ("archive", (), "Put this in the archive: the gym locker code is 7730.", 0, "Gym locker code: 7730."),
    ("style", (), "Answer in short sentences from now on.", 0, "The user wants answers in short sentences."),
    ("fact", (), "我叫李强，是厨师，房东姓赵。", 0, "姓名：李强。厨师。房东姓赵。"),
    ("fact", (_WANG, "在银行上班。"), "我每天早上六点去游泳。", 0, "每天早上六点游泳。"),
    ("fact", (_WANG, "喜欢喝咖啡。"), "我现在不喝咖啡了，改喝绿茶。", 2, "喝绿茶，不喝咖啡。"),
)

_CHECK_RULES = "Do the notes say the answer to the question? Answer yes or no."

_CHECK_EXAMPLES = (
    ("Name: Olga. Plays the cello. Teaches at a school.", "What instrument do I play?", "yes"),
    ("Name: Olga. Plays the cello.", "What's my landlord's name?", "no"),
    ("Name: Jon. Teaches at a school.", "What do I do for a living?", "yes"),
    ("Name: Jon. Shoe size: 44.", "When is my exam?", "no"),
    ("Name: Jon. Has an exam.", "When is my exam?", "no"),
    ("姓名：王芳。在银行上班。", "我的工作是什么？", "yes"),
    ("姓名：王芳。在银行上班。", "我几点去游泳？", "no"),
)


def label_message(notes: str, before: str, message: str) -> ChatMessage:
    """`before`: what was said last, given only where the message cannot be understood alone."""
    head = f"Notes: {notes}\n" + (f"Before: {before}\n" if before else "")
    return {"role": "user", "content": f"{head}Message: {message}"}


def write_message(kind: str, lines: tuple[str, ...], message: str) -> ChatMessage:
    """The message with the numbered lines that it may correct; `kind` is `fact`, `style` or `archive`."""
    numbered = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1)) or "(none)"
    return {"role": "user", "content": f"Lines:\n{numbered}\nMessage ({kind}): {message}"}


def check_message(notes: str, question: str) -> ChatMessage:
    """The question whether `notes` answer `question`."""
    return {"role": "user", "content": f"Notes: {notes}\nQuestion: {question}"}


def label_prefix() -> list[ChatMessage]:
    """The fixed beginning of the call that gives a message its label."""
    turns = [(label_message(notes, "", text), label) for notes, text, label in _LABEL_EXAMPLES]
    return _as_turns(_LABEL_RULES, turns)


def write_prefix() -> list[ChatMessage]:
    """The fixed beginning of the call that writes a note."""
    turns = [
        (write_message(kind, lines, text), f'{{"replaces": {number}, "note": "{note}"}}')
        for kind, lines, text, number, note in _WRITE_EXAMPLES
    ]
    return _as_turns(_WRITE_RULES, turns)


def check_prefix() -> list[ChatMessage]:
    """The fixed beginning of the call that checks whether notes hold an answer."""
    return _as_turns(_CHECK_RULES, [(check_message(notes, text), answer) for notes, text, answer in _CHECK_EXAMPLES])


def _as_turns(rules: str, turns: list[tuple[ChatMessage, str]]) -> list[ChatMessage]:
    messages: list[ChatMessage] = [{"role": "system", "content": rules}]
    for question, answer in turns:
        messages += [question, {"role": "assistant", "content": answer}]
    return messages

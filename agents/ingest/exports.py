"""An export of ChatGPT or Claude to what was said in each of its conversations."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from agents.exceptions import InvalidInput
from agents.ingest import chatgpt, claude, limits
from agents.ingest.conversations import Conversation
from memweb import history


def conversations(path: str) -> Iterator[Conversation]:
    """Those in which something was said. Raises InvalidInput with why it cannot be read, or OSError."""
    try:
        for number, raw in enumerate(history.conversations(path), start=1):
            limits.check_conversations(number)
            conversation = chatgpt.read(raw) if "mapping" in raw else claude.read(raw)
            if conversation.said:
                yield conversation
    except history.BadExport as error:
        raise refused(error) from error


def refused(error: history.BadExport) -> InvalidInput:
    """The same in the person's language."""
    return InvalidInput(_(error.sentence) % error.values)

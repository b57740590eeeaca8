"""Mail: who wrote when to whom, what a mail program would show of it, and the names of what is attached."""

from collections.abc import Iterator
from email import message_from_binary_file, policy
from email.message import MIMEPart
from pathlib import Path

from agents.ingest.cutting import Cut, cut_markdown
from agents.ingest.decoding import decoded
from agents.ingest.markup import markdown_of

HEADERS = ("From", "To", "Cc", "Date", "Subject")


def eml(path: str) -> Iterator[Cut]:
    """A message as text, under its subject."""
    with Path(path).open("rb") as file:
        message = message_from_binary_file(file, policy=policy.default)
    lines = [f"{name}: {' '.join(str(value).split())}" for name in HEADERS for value in message.get_all(name, [])]
    body = message.get_body(preferencelist=("html", "plain"))
    lines += ["", _text(body) if body else "", ""]
    lines += [f"[Attachment: {part.get_filename() or part.get_content_type()}]" for part in message.iter_attachments()]
    yield from cut_markdown("\n".join(lines), place=str(message.get("Subject", "")))


def _text(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    text = decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset() or "")
    return markdown_of(text) if part.get_content_subtype() == "html" else text

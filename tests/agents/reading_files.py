"""Files read without a database."""

from pathlib import Path

from agents.ingest import reading
from agents.ingest.cutting import Cut
from agents.ingest.kinds import media_type_of


def cuts(folder: Path, name: str, content: bytes) -> list[Cut]:
    """The pieces of a file."""
    path = folder / name
    path.write_bytes(content)
    return list(reading.read(str(path), media_type_of(name), lambda number, pages: None))


def text_of(folder: Path, name: str, content: bytes) -> str:
    """Its whole text."""
    return "\n".join(cut.text for cut in cuts(folder, name, content))

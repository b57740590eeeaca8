"""What a backup holds, and the proof that it still does."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ValidationError, field_validator

from memweb.stack.backup import database
from memweb.stack.exceptions import BackupError

FORMAT = 1
NAME, CHECKSUM = "manifest.json", "manifest.json.sha256"
DUMP, KEY = "database.dump", "keys/secret_key"
DOCUMENTS = "documents/"  # begins the name of each, as it does in the database
CHUNK = 1 << 20

Count = Callable[[int], object]  # is told of bytes as they are done


class Entry(BaseModel):
    """One file. `size` is in bytes."""

    size: int
    sha256: str


class Manifest(BaseModel):
    """`missing` and `damaged` are documents that were not as the database said when the backup was made."""

    format: int
    kind: str
    made_at: datetime
    memweb: str
    postgres: str
    tables_in: str  # the schema
    migrations: list[str]  # applied, as "agents.0001_initial"
    rows: dict[str, int]
    files: dict[str, Entry]
    missing: list[str]
    damaged: list[str]
    keys: bool

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, value: dict[str, Entry]) -> dict[str, Entry]:
        for name in value:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not (name in (DUMP, KEY) or name.startswith(DOCUMENTS)):
                raise ValueError(f"{name} is no name of a file in a backup")
        return value

    @property
    def documents(self) -> dict[str, Entry]:
        return {name: entry for name, entry in self.files.items() if name.startswith(DOCUMENTS)}

    @property
    def size(self) -> int:
        """In bytes, of all files."""
        return sum(entry.size for entry in self.files.values())


def read(folder: Path) -> Manifest:
    """Raises `BackupError` for what is no backup, a damaged manifest, and a format of a later memweb."""
    try:
        text = (folder / NAME).read_bytes()
        expected = (folder / CHECKSUM).read_text().split()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        inside = sorted(path.parent.name for path in folder.glob(f"*/{NAME}"))
        hint = f" It holds backups; name one of them: {', '.join(inside[-5:])}." if inside else ""
        raise BackupError(f"{folder} is no whole backup: its {NAME} or {CHECKSUM} is not there.{hint}") from error
    if hashlib.sha256(text).hexdigest() != expected:
        raise BackupError(f"The backup {folder} is damaged: its {NAME} is not the one that was written.")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupError(f"The {NAME} of {folder} cannot be read; a later memweb may have written it.") from error
    if manifest.format > FORMAT:
        raise BackupError(
            f"The backup {folder} was made by memweb {manifest.memweb} in a form (format {manifest.format}) that this "
            f"memweb does not know (format {FORMAT}). Install that memweb, then restore."
        )
    return manifest


def check(folder: Path, manifest: Manifest, count: Count) -> None:
    """Read all of it: each file by its checksum, the rows by their number. Raises `BackupError`."""
    absent = [name for name in manifest.documents if not (folder / name).is_file()]
    if absent:
        raise BackupError(
            f"The backup {folder} is not whole: {len(absent)} of its {len(manifest.documents)} documents are not "
            f"there, the first {absent[0]}."
        )
    for name, entry in manifest.files.items():
        try:
            size, digest = (folder / name).stat().st_size, digest_of(folder / name, count)
        except OSError as error:
            raise BackupError(f"The backup {folder} is not whole: {name} cannot be read ({error.strerror}).") from error
        if size < entry.size:
            raise BackupError(
                f"The backup {folder} was cut short: {name} has {size:,} of {entry.size:,} bytes. Take another backup."
            )
        if digest != entry.sha256:
            raise BackupError(
                f"The backup {folder} is damaged: the content of {name} is not what was written (its checksum is "
                "another). Take another backup."
            )
    found = database.rows_in(folder / DUMP)
    unlike = {name for name in found.keys() | manifest.rows.keys() if found.get(name) != manifest.rows.get(name)}
    if unlike:
        name = min(unlike)
        raise BackupError(
            f"The backup {folder} is not whole: of table {name} it holds {found.get(name, 0):,} rows and should hold "
            f"{manifest.rows.get(name, 0):,}."
        )


def chunks(path: Path) -> Iterator[bytes]:
    """The file's content, never all of it at once."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def digest_of(path: Path, count: Count = lambda _bytes: None) -> str:
    """SHA-256 of the file, read from its first byte to its last."""
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
        count(len(chunk))
    return digest.hexdigest()

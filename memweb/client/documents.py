"""Archives, and files that are loaded into them."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from memweb.client.errors import ConnectionLost, Invalid, MemwebError, NoServer, NotAllowed, NotFound
from memweb.client.results import Archive, Document, Loaded, Progress
from memweb.client.steps import Pause, Request, Steps, Upload, all_pages, ask, get, naming, patch, path, post, read_as

ARCHIVES = path("archives") + "/"
LOOK_AGAIN = 0.5  # seconds between two looks at a document that is being read

Told = Callable[[Progress], None]


def create_archive(name: str, *, description: str | None = None) -> Steps[Archive]:
    """Make an archive. Raises NameTaken if you have one of that name."""
    body = {"name": name} | ({"description": description} if description is not None else {})
    return read_as(Archive, (yield from naming(ask(post(ARCHIVES, body)))))


def list_archives(*, agent_id: str | None = None) -> Steps[list[Archive]]:
    """All your archives, or those that an agent searches."""
    return read_as(list[Archive], (yield from all_pages(ARCHIVES, agent_id=agent_id)))


def get_archive(name_or_id: str) -> Steps[Archive]:
    """An archive by its name or id. Raises NotFound."""
    named = read_as(list[Archive], (yield from all_pages(ARCHIVES, name=name_or_id)))
    found = next((archive for archive in named if archive.name == name_or_id), None)
    if found is not None:
        return found
    if name_or_id.removeprefix("archive-").isdecimal():
        return read_as(Archive, (yield from ask(get(path("archives", name_or_id)))))
    raise NotFound(f"You have no archive called “{name_or_id}”.")


def attach_archive(*, agent_id: str, archive_id: str) -> Steps[None]:
    """Let an agent search an archive."""
    yield from ask(patch(path("agents", agent_id, "archives", "attach", archive_id)))


def detach_archive(*, agent_id: str, archive_id: str) -> Steps[None]:
    """Let an agent search an archive no more."""
    yield from ask(patch(path("agents", agent_id, "archives", "detach", archive_id)))


def list_documents(archive_id: str) -> Steps[list[Document]]:
    """The files of an archive."""
    return read_as(list[Document], (yield from all_pages(_folder(archive_id, "files"))))


def load_documents(
    paths: str | Path | Iterable[str | Path],
    *,
    archive_id: str,
    progress: Told | None = None,
    same_name: Literal["skip", "error", "suffix", "replace"] = "replace",
) -> Steps[list[Loaded]]:
    """Load files, and all files of folders, into an archive, and wait until they are read.

    A file that cannot be taken does not stop the rest: its Loaded says why. `progress` is called on the way;
    `same_name` says what becomes of a file whose name is in the archive already. A document has the name of its file;
    where two of these have one name, with their folders.
    """
    files = list(_files([paths] if isinstance(paths, str | Path) else paths))
    loading = _Loading(archive_id, len(files), progress or (lambda _progress: None))
    often = Counter(file.name for _shown, file in files)
    for shown, file in files:
        name = file.name if often[file.name] == 1 else shown.strip("/").replace("/", "_")
        yield from loading.send(shown, file, {"duplicate_handling": same_name, "name": name})
    yield from loading.follow()
    return loading.results


class _Loading:
    """Files on their way into an archive."""

    def __init__(self, archive_id: str, files: int, told: Told) -> None:
        self.archive_id, self.files, self.told = archive_id, files, told
        self.results: list[Loaded] = []
        self.done = 0

    def send(self, shown: str, file: Path, params: dict[str, str]) -> Steps[None]:
        self._tell(shown, "sending")
        try:
            document = read_as(Document, (yield from ask(self._upload(file, params))))
        except (NotAllowed, NotFound, NoServer, ConnectionLost):  # no file would fare better
            raise
        except (MemwebError, OSError) as error:
            self._refused(Loaded(path=shown, error=_why(error)))
            return
        self.results.append(Loaded(path=shown, document=document))

    def _upload(self, file: Path, params: dict[str, str]) -> Request:
        address = _folder(self.archive_id, "upload")
        if not file.is_file():
            raise Invalid("there is no such file")
        return Request(method="POST", path=address, params=params, upload=Upload(params["name"], file))

    def follow(self) -> Steps[None]:
        """Look at what is being read until nothing is."""
        for at, loaded in enumerate(self.results):
            document = loaded.document
            while document is not None and not document.is_done:
                stage: Literal["reading", "embedding"] = "embedding" if document.status == "embedding" else "reading"
                self._tell(loaded.path, stage, document)
                yield Pause(LOOK_AGAIN)
                document = read_as(Document, (yield from ask(get(_folder(self.archive_id, "files", document.id)))))
            if document is None:
                continue
            self.results[at] = Loaded(path=loaded.path, document=document)
            self._ended(self.results[at])

    def _ended(self, loaded: Loaded) -> None:
        document = loaded.document
        if document is not None and document.status == "error":
            at = self.results.index(loaded)
            self.results[at] = Loaded(path=loaded.path, document=document, error=document.error or "it cannot be read")
            self._count(loaded.path, "refused", document, self.results[at].error)
        else:
            self._count(loaded.path, "done", document, "")

    def _refused(self, loaded: Loaded) -> None:
        self.results.append(loaded)
        self._count(loaded.path, "refused", None, loaded.error)

    def _count(self, name: str, stage: Literal["done", "refused"], document: Document | None, error: str) -> None:
        self.done += 1
        self._tell(name, stage, document, error)

    def _tell(
        self,
        name: str,
        stage: Literal["sending", "reading", "embedding", "done", "refused"],
        document: Document | None = None,
        error: str = "",
    ) -> None:
        self.told(
            Progress(
                path=name,
                stage=stage,
                files_done=self.done,
                files=self.files,
                embedded=(document.embedded if document else 0) or 0,
                passages=(document.passages if document else 0) or 0,
                error=error,
            )
        )


def _folder(archive_id: str, *parts: str) -> str:
    """An archive and a folder of one number are one thing; files are the folder's."""
    return path("folders", "folder-" + archive_id.removeprefix("archive-").removeprefix("folder-"), *parts)


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _files(paths: Iterable[str | Path]) -> Iterator[tuple[str, Path]]:
    """Each file with what it is called here: a folder's by their place in it. Hidden ones are left out."""
    for given in map(Path, paths):
        if not given.is_dir():
            yield given.as_posix(), given
            continue
        for folder, folders, names in os.walk(given):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                file = Path(folder, name)
                yield (Path(given.resolve().name) / file.relative_to(given)).as_posix(), file

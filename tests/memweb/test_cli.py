"""What cannot be started is said in a sentence, with a way out and without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def said(tmp_path: Path, **settings: str) -> str:
    environment = os.environ | {"MEMWEB_HOME": str(tmp_path / "home"), "MEMWEB_ENV_FILE": os.devnull} | settings
    command = [sys.executable, "-m", "memweb", "up"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode not in (0, None)
    text = done.stdout + done.stderr
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"MEMWEB_HOME": "/dev/null/home"}, "Set MEMWEB_HOME to a folder you can write to."),
        ({"MEMWEB_HOME": sys.executable}, "Set MEMWEB_HOME to a folder you can write to."),
        ({"MEMWEB_PORT": "99999"}, "MEMWEB_PORT: Input should be less than or equal to 65535"),
        ({"MEMWEB_PORT": "eighty"}, "MEMWEB_PORT: Input should be a valid integer"),
        ({"MEMWEB_HOST": "300.1.1.1"}, "is no address of this machine"),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    assert sentence in said(tmp_path, **settings)


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"MEMWEB_PORT=8000\n\xff\xfe")
    assert f"The settings in {file} cannot be read" in said(tmp_path, MEMWEB_ENV_FILE=str(file))


def test_status_where_nothing_runs(tmp_path: Path) -> None:
    environment = os.environ | {"MEMWEB_HOME": str(tmp_path / "home"), "MEMWEB_ENV_FILE": os.devnull}
    command = [sys.executable, "-m", "memweb", "status"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "memweb does not run here. Start it with" in done.stderr


def started(tmp_path: Path, name: str, **settings: str) -> str:
    foreign = ("DATABASE_URL", "REDIS_URL", "OPENAI_BASE_URL")
    environment = {key: value for key, value in os.environ.items() if key not in foreign} | settings
    environment |= {"MEMWEB_HOME": str(tmp_path / "home"), "MEMWEB_ENV_FILE": os.devnull}
    command = [sys.executable, "-m", "memweb", "start", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr


def test_a_program_alone_needs_its_services(tmp_path: Path) -> None:
    assert "DATABASE_URL and OPENAI_BASE_URL or OPENAI_API_KEY must be set" in started(
        tmp_path, "web", REDIS_URL="redis://"
    )


def test_a_program_that_there_is_not(tmp_path: Path) -> None:
    own = {"DATABASE_URL": "postgresql://", "REDIS_URL": "redis://", "OPENAI_BASE_URL": "http://"}
    assert "There is no program worker. There are: upgrade, web, worker-runs," in started(tmp_path, "worker", **own)

"""memweb as people install it: what the wheel holds, and that `memweb up` works from it in any folder."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from agents.llm.scripted import ScriptedServer, say
from memweb import __version__
from memweb.stack.env import PROJECT_FOLDER
from memweb.stack.plan import free_port
from tests.processes import until

PACKAGES = [name for name in ("agents", "api", "chat", "memweb") if (PROJECT_FOLDER / name).is_dir()]
STRANGER = "raise SystemExit('taken from the working folder')"


def build(target: str, source: Path, folder: Path) -> Path:
    """The wheel or sdist of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", PROJECT_FOLDER, tmp_path_factory.mktemp("wheel"))


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    assert names_in(wheel) == files_of(PROJECT_FOLDER)
    kinds = {Path(name).suffix for name in names_in(wheel)}
    assert kinds >= {".py", ".html", ".css", ".js", ".svg", ".mo", ".md", ".txt"}


def test_an_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", PROJECT_FOLDER, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    source = next((tmp_path / "source").iterdir())
    assert (source / "Makefile").exists() and (source / "tests" / "test_install.py").exists()
    assert names_in(build("wheel", source, tmp_path / "again")) == names_in(wheel)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"memweb-{__version__}.dist-info"
        metadata = message_from_bytes(archive.read(f"{folder}/METADATA"))
        assert archive.read(f"{folder}/licenses/LICENSE") == (PROJECT_FOLDER / "LICENSE").read_bytes()
    assert metadata["Version"] == __version__
    assert not any(" @ " in line for line in metadata.get_all("Requires-Dist", []))


class Installed:
    """The wheel in a virtualenv of its own, which sees what else is installed in this one, and not the checkout."""

    def __init__(self, wheel: Path, root: Path) -> None:
        self.home, self.folder = root / "home", root / "elsewhere"
        self.home.mkdir(mode=0o711)
        self.folder.mkdir()
        for name in ("memweb", "agents", "django", "celery"):
            (self.folder / f"{name}.py").write_text(STRANGER)
        venv.create(root / "venv")
        self.bin = root / "venv" / "bin"
        site = next((root / "venv").glob("lib/python*/site-packages"))
        (site / "others.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {"PATH": os.environ["PATH"], "MEMWEB_HOME": str(self.home), "MEMWEB_PORT": port}

    def popen(self, *arguments: str, log: Path) -> "subprocess.Popen[bytes]":
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.bin / "memweb", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def said(self, *arguments: str) -> str:
        command = [str(self.bin / "memweb"), *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="memweb-installed-") as root:
        Path(root).chmod(0o711)  # PostgreSQL's own user has to pass
        yield Installed(wheel, Path(root))


def test_the_command_says_its_version_and_what_it_can_do(installed: Installed) -> None:
    assert installed.said("--version") == f"memweb {__version__}\n"
    assert all(re.search(rf"^  {name} ", installed.said("--help"), re.MULTILINE) for name in ("up", "token", "manage"))


def test_memweb_up_works_in_any_folder(installed: Installed, tmp_path: Path) -> None:
    log, local = tmp_path / "output.log", installed.home / "local.json"
    with ScriptedServer([say("Hello.")]) as model:
        (installed.home / ".env").write_text(f"OPENAI_BASE_URL={model.url}\nMEMWEB_EMBEDDINGS=hash\n")
        process = installed.popen("up", log=log)
        try:
            until(lambda: process.poll() is not None or local.exists(), "local.json", 90)
            assert process.poll() is None, log.read_text()
            found = json.loads(local.read_text())
            assert (found["url"], found["pid"]) == (installed.url, process.pid)
            assert "memweb manage login_url" in installed.get("/login/")[1]
            assert "登录" in installed.get("/login/", **{"Accept-Language": "zh-CN"})[1]
            for path in ("/static/css/base.css", "/static/js/app.js", "/static/vendor/htmx-2.0.11.min.js"):
                assert installed.get(path)[0] == 200
            assert installed.get("/v1/agents/", Authorization=f"Bearer {found['token']}") == (200, "[]")
            assert found["token"][-4:] in installed.said("token", "list")
            address = installed.said("manage", "login_url").strip().removeprefix(installed.url)
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with opener.open(installed.url + address, timeout=30) as page:
                assert "Mira" in page.read().decode()  # a persona that comes along
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert not local.exists() and found["token"] not in log.read_text()

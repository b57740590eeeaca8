"""The examples in compose.yaml and deploy/ name programs and settings that there are."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from memweb.stack.env import PROJECT_FOLDER, Env
from memweb.stack.plan import plan_for

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_FOLDER / "compose.yaml").read_text())


def programs() -> set[str]:
    own = {"database_url": "postgresql://", "redis_url": "redis://", "openai_base_url": "http://"}
    return {program.name for program in plan_for(Env(_env_file=None, **own)).programs} | {"upgrade"}  # type: ignore


def test_compose_starts_each_program_once() -> None:
    commands = [service["command"] for service in COMPOSE["services"].values() if service.get("image") == "memweb"]
    assert sorted(commands) == sorted(["start", name] for name in programs())


def test_systemd_names_the_programs() -> None:
    unit = (PROJECT_FOLDER / "deploy/systemd/memweb@.service").read_text().splitlines()[0]
    assert set(re.findall(r"memweb@([a-z-]+)", unit)) == programs() - {"upgrade"}


def test_settings_that_are_named_are_settings() -> None:
    files = [
        "compose.yaml",
        "Dockerfile",
        "deploy/nginx.conf",
        "deploy/Caddyfile",
        "deploy/haproxy.cfg",
        "deploy/systemd/memweb@.service",
    ]
    named = {name for file in files for name in re.findall(r"MEMWEB_[A-Z_]+", (PROJECT_FOLDER / file).read_text())}
    assert named and {name.lower() for name in named} <= set(Env.model_fields)


def test_nginx_takes_its_example(tmp_path: Path, certificate: Path) -> None:
    example = with_certificate("nginx.conf", certificate)
    (tmp_path / "nginx.conf").write_text(f"events {{}}\npid {tmp_path}/pid;\nhttp {{\n{example}\n}}\n")
    program = installed("nginx")
    assert_taken(program, "-t", "-q", "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf"))


def test_haproxy_takes_its_example(tmp_path: Path, certificate: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(with_certificate("haproxy.cfg", certificate))
    assert_taken(installed("haproxy"), "-c", "-f", str(tmp_path / "haproxy.cfg"))


def test_caddy_takes_its_example() -> None:
    example = PROJECT_FOLDER / "deploy" / "Caddyfile"
    assert_taken(installed("caddy"), "validate", "--adapter", "caddyfile", "--config", str(example))
    formatted = subprocess.run([installed("caddy"), "fmt", str(example)], capture_output=True, text=True, check=True)
    assert formatted.stdout == example.read_text()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """With its key in the same file."""
    made = tmp_path / "made.pem"
    command = [installed("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=memweb.example.org"]
    subprocess.run([*command, "-keyout", str(made), "-out", f"{made}.crt"], check=True, capture_output=True)
    made.write_text(Path(f"{made}.crt").read_text() + made.read_text())
    return made


def with_certificate(example: str, certificate: Path) -> str:
    return re.sub(r"/etc/ssl/\S+?\.(pem|key)", str(certificate), (PROJECT_FOLDER / "deploy" / example).read_text())


def installed(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def assert_taken(*command: str) -> None:
    """Without an error, and without a warning."""
    done = subprocess.run(command, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0 and "warn" not in told.lower(), told

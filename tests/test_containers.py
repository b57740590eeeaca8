"""The examples in compose.yaml and deploy/ name programs and settings that there are."""

import re
from typing import Any

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
    files = ["compose.yaml", "Dockerfile", "deploy/nginx.conf", "deploy/Caddyfile", "deploy/systemd/memweb@.service"]
    named = {name for file in files for name in re.findall(r"MEMWEB_[A-Z_]+", (PROJECT_FOLDER / file).read_text())}
    assert named and {name.lower() for name in named} <= set(Env.model_fields)

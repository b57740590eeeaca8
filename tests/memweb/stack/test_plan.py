import os
from pathlib import Path

import pytest

from memweb.stack.env import PROJECT_FOLDER, Env
from memweb.stack.model_state import read_state
from memweb.stack.plan import Plan, plan_for

PLAIN = ["web", "worker-runs", "worker-background", "worker-ingest", "beat"]


def plan(home: Path, **settings: object) -> Plan:
    return plan_for(Env.model_validate({"memweb_home": home, **settings}))


def names(found: Plan) -> tuple[list[str], list[str]]:
    return [service.name for service in found.services], [program.name for program in found.programs]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Env.model_config, "env_file", None)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_with_no_setting_everything_is_started_here(tmp_path: Path) -> None:
    assert names(plan(tmp_path)) == (["postgres", "valkey"], [*PLAIN, "local-model"])


def test_an_endpoint_of_ones_own_means_no_local_model(tmp_path: Path) -> None:
    found = plan(tmp_path, openai_base_url="http://127.0.0.1:1/v1")
    assert names(found) == (["postgres", "valkey"], PLAIN)
    assert "MEMWEB_LOCAL_MODEL_URL" not in found.environment


def test_services_of_ones_own_are_used_and_none_started(tmp_path: Path) -> None:
    found = plan(tmp_path, database_url="postgresql://db/memweb", redis_url="redis://broker")
    assert names(found)[0] == []
    assert found.environment["DATABASE_URL"] == "postgresql://db/memweb"
    assert found.environment["REDIS_URL"] == "redis://broker"


def test_the_local_model_gets_a_loopback_port_and_a_key_of_its_own(tmp_path: Path) -> None:
    first, second = plan(tmp_path), plan(tmp_path)
    assert first.environment["MEMWEB_LOCAL_MODEL_URL"].startswith("http://127.0.0.1:")
    assert first.environment["MEMWEB_LOCAL_MODEL_KEY"] != second.environment["MEMWEB_LOCAL_MODEL_KEY"]


def test_variables_of_another_postgres_do_not_reach_the_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    assert "PGOPTIONS" not in plan(tmp_path).environment
    assert "PGOPTIONS" in plan(tmp_path, database_url="postgresql://db/memweb").environment


def test_the_page_learns_that_the_local_model_ended(tmp_path: Path) -> None:
    found = plan(tmp_path)
    program = found.programs[-1]
    assert not program.essential
    program.on_end("local-model ended (SIGILL).")
    state = read_state(found.paths)
    assert state.stage == "failed"
    assert state.message.startswith("local-model ended (SIGILL).")


def test_what_children_need_does_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/opt/more")
    environment = plan(Path("home"), memweb_local_model_file="weights.gguf").environment
    assert environment["MEMWEB_HOME"] == str(tmp_path / "home")
    assert environment["MEMWEB_LOCAL_MODEL_FILE"] == str(tmp_path / "weights.gguf")
    assert environment["PYTHONPATH"] == f"{PROJECT_FOLDER}{os.pathsep}/opt/more"
    assert Path(environment["MEMWEB_ENV_FILE"]).is_absolute()

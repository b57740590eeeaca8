from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from memweb.cli import main
from memweb.stack.env import PROJECT_FOLDER, Env, env, env_file


def test_env_example_names_every_setting_and_no_other() -> None:
    lines = (PROJECT_FOLDER / ".env.example").read_text().splitlines()
    named = [line[1:].split("=")[0] for line in lines if line.startswith("#") and "=" in line and line[1:2].isupper()]
    assert sorted(named) == sorted(name.upper() for name in Env.model_fields)


def test_env_example_shows_the_real_defaults() -> None:
    lines = (PROJECT_FOLDER / ".env.example").read_text().splitlines()
    shown = dict(line[1:].split("=", 1) for line in lines if line.startswith("#MEMWEB_") and not line.endswith("="))
    shown.pop("MEMWEB_HOME")  # depends on who looks
    defaults = Env.model_construct()
    for name, value in shown.items():
        field = Env.model_fields[name.lower()]
        assert str(getattr(defaults, name.lower(), field.default)).lower() == value.lower(), name


def test_origins_are_brought_into_the_form_that_browsers_send() -> None:
    given = "https://Chat.example.org:8443, http://nas.local:8080/,https://a.example:443,http://[::1]:81,"
    assert Env(memweb_origins=given).origins == [
        "https://chat.example.org:8443",
        "http://nas.local:8080",
        "https://a.example",
        "http://[::1]:81",
    ]
    assert Env(memweb_origins="").origins == []


@pytest.mark.parametrize(
    "entry",
    [
        "chat.example.org:8443",
        "ftp://a.example",
        "https://a.example/chat",
        "https://",
        "https://a:b",
        "https://*.a",
        "x",
    ],
)
def test_what_is_no_origin_is_refused_with_what_would_do(entry: str) -> None:
    with pytest.raises(ValidationError, match=r"is no origin: write http:// or https://"):
        Env(memweb_origins=f"https://ok.example,{entry}")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("0.0.0.0", "http://127.0.0.1:81"),
        ("::", "http://127.0.0.1:81"),
        ("::1", "http://[::1]:81"),
        ("nas.local", "http://nas.local:81"),
    ],
)
def test_programs_on_this_machine_are_let_in_whatever_hosts_are_named(host: str, url: str) -> None:
    found = Env(
        memweb_host=host, memweb_port=81, memweb_allowed_hosts="a.example", memweb_origins="https://b.example:4"
    )
    assert found.local_url == url
    assert found.allowed_hosts == ["a.example", "b.example", url.removeprefix("http://").removesuffix(":81")]


@pytest.mark.parametrize(
    ("in_checkout", "environment", "expected"),
    [
        (True, {"MEMWEB_HOME": "/data"}, PROJECT_FOLDER / ".env"),
        (False, {"MEMWEB_HOME": "/data"}, Path("/data/.env")),
        (False, {"MEMWEB_HOME": "data"}, Path("data/.env").absolute()),
        (False, {"MEMWEB_HOME": ""}, Path.home() / ".memweb" / ".env"),
        (False, {"MEMWEB_HOME": "/data", "MEMWEB_ENV_FILE": "~/mine"}, Path.home() / "mine"),
        (True, {"MEMWEB_ENV_FILE": "mine"}, Path("mine").absolute()),
    ],
)
def test_settings_are_read_beside_the_checkout_or_where_the_data_is(
    monkeypatch: pytest.MonkeyPatch, in_checkout: bool, environment: dict[str, str], expected: Path
) -> None:
    monkeypatch.setattr("memweb.stack.env.IN_CHECKOUT", in_checkout)
    for name in ("MEMWEB_HOME", "MEMWEB_ENV_FILE"):
        monkeypatch.setenv(name, environment.get(name, ""))
    assert env_file() == expected


def test_the_command_says_which_setting_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWEB_ORIGINS", "chat.example.org")
    env.cache_clear()
    try:
        result = CliRunner().invoke(main, ["up"])
    finally:
        env.cache_clear()
    assert result.exit_code == 1
    assert result.output.startswith("Error: MEMWEB_ORIGINS: “chat.example.org” is no origin")

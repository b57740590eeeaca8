import os
import stat
from pathlib import Path

import psycopg.conninfo
import pytest

from memweb.stack import paths as module
from memweb.stack.exceptions import StackError
from memweb.stack.paths import SOCKET_PATH_LIMIT, StackPaths, celery_broker_url, is_open_to_others


def test_the_same_home_gives_the_same_paths(tmp_path: Path) -> None:
    assert StackPaths(tmp_path / "home") == StackPaths(tmp_path / "x" / ".." / "home")
    assert StackPaths(tmp_path / "home").database_url == StackPaths(tmp_path / "home").database_url


def test_a_deep_home_gets_a_short_socket_path(tmp_path: Path) -> None:
    deep = StackPaths(tmp_path / ("d" * 120) / "home")
    other = StackPaths(tmp_path / ("d" * 120) / "other")
    for socket in (deep.postgres_socket_folder / ".s.PGSQL.5432", deep.valkey_socket):
        assert len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
    assert deep.run_folder != other.run_folder


def test_folders_are_private(paths: StackPaths) -> None:
    paths.create()
    for folder in (paths.home, paths.run_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
    for folder in (paths.logs, paths.models, paths.media, paths.valkey_data):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_mode(paths: StackPaths) -> None:
    paths.home.mkdir(mode=0o755)
    paths.create()
    assert stat.S_IMODE(paths.home.stat().st_mode) == 0o755


def test_as_root_a_closed_home_sends_the_servers_files_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "_ROOT_DATA_PARENT", tmp_path / "var")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not is_open_to_others(closed / "home")
    stack = StackPaths(closed / "home")
    assert stack.postgres_data.is_relative_to(tmp_path / "var")
    assert stack.valkey_data == closed / "home" / "valkey"


def test_as_root_data_that_lies_in_the_home_is_never_lost_sight_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    home = tmp_path / "home"
    (home / "postgres-18").mkdir(parents=True)
    home.chmod(0o700)
    assert StackPaths(home).postgres_data == home / "postgres-18"


def test_a_socket_folder_of_another_user_is_refused(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.create()
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(paths.run_folder, 12345, 12345)
    with pytest.raises(StackError, match="belongs to another user"):
        paths.create()


def test_a_home_that_cannot_be_made_is_said_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="Set MEMWEB_HOME to a folder you can write to"):
        StackPaths(tmp_path / "file" / "home").create()


def test_urls_survive_odd_characters_in_the_path(tmp_path: Path) -> None:
    stack = StackPaths(tmp_path / "a b&c")
    assert psycopg.conninfo.conninfo_to_dict(stack.database_url)["host"] == str(stack.postgres_socket_folder)


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("unix:///a/valkey.sock", "redis+socket:///a/valkey.sock?virtual_host=0"),
        ("unix:///a/valkey.sock?db=3", "redis+socket:///a/valkey.sock?virtual_host=3"),
        ("redis://host:6379/1", "redis://host:6379/1"),
        ("rediss://host:6379/1", "rediss://host:6379/1"),
    ],
)
def test_celery_gets_its_own_form_of_a_socket_url(redis_url: str, broker_url: str) -> None:
    assert celery_broker_url(redis_url) == broker_url

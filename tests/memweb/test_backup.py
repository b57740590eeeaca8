"""Backups on the real parts: a server of their own, rows and documents written while one is made, bad ones refused."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agents import tasks
from memweb import beat
from memweb.stack.backup import database, kept, making, manifest, restoring
from memweb.stack.env import Env
from memweb.stack.exceptions import BackupError, BackupUnderWay
from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres
from tests.homes import content, files, of, open_folder, run
from tests.processes import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("backup")]

FILL = r"""
import django; django.setup()
import hashlib
from io import BytesIO
from PIL import Image
from django.contrib.auth.models import User
from django.utils import timezone
from django.core.files.base import ContentFile
from django.core.management import call_command
call_command("migrate", verbosity=0)
from agents import services
from agents.models import Archive, Document, Message, Passage
archive = Archive.objects.create(owner=User.objects.create(username="Ann"), name="papers")
for number in range(12):
    content = f"{number} ".encode() * 30_000
    document = Document(archive=archive, name="a.txt", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    document.file.save(f"{number}.txt", ContentFile(content))
picture = BytesIO()
Image.new("RGB", (8, 8), "red").save(picture, "PNG")
kept = services.pictures_keep([ContentFile(picture.getvalue(), "p.png")], seen=True)
agent = services.agent_create(owner=archive.owner, draft=services.AgentDraft(name="Sam"))
Message.objects.create(agent=agent, kind="user_message", content="Look", created_at=timezone.now(), pictures=kept)
texts = ["\\.", "COPY public.x (y) FROM stdin;\n", "\t\\N\r\n", "金", "it's"]
Passage.objects.bulk_create(Passage(archive=archive, text=text, embedding=[0.1] * 384) for text in texts * 40)
"""

FILED = "UPDATE filed SET id = nextval('agents_document_id_seq'), file = %s, sha256 = %s"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Postgres]:
    """Of a home with people, documents and passages."""
    paths = StackPaths(folder / "home")
    server = Postgres(paths, quiet=True, settings={"fsync": "off"})
    server.start()
    try:
        run("-c", FILL, home=paths.home, DATABASE_URL=server.url)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def backup(folder: Path, server: Postgres) -> Path:
    return making.make(of(folder / "home", server.url), folder / "kept", kind="manual")[0]


@pytest.fixture
def changed(backup: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return shutil.copytree(backup, tmp_path / "changed")


Fresh = Callable[..., Env]


@pytest.fixture
def fresh(server: Postgres, folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fresh]:
    """An empty home with an empty database of its own on the server, or with a copy of `template`."""
    made: list[str] = []

    def make(template: str = "template1") -> Env:
        name = f"db_{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}_{len(made)}"
        execute(server.url, "CREATE DATABASE {} TEMPLATE {}", name, template)
        made.append(name)
        return of(tmp_path / name, make_conninfo(server.url, dbname=name))

    yield make
    for name in made:
        execute(server.url, "DROP DATABASE {} WITH (FORCE)", name)


def execute(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def url_of(env: Env) -> str:
    assert env.database_url is not None
    return env.database_url


def known(folder: Path) -> set[str]:
    return set(manifest.read(folder).migrations)


def test_from_our_own_server_to_another_and_back(server: Postgres, folder: Path, fresh: Fresh) -> None:
    home, other, third = folder / "home", fresh(), folder / "third"
    made, found = making.make(of(home, server.url), folder / "no keys", kind="manual", keys=False)
    assert not found.keys and not (made / "keys").exists()
    restoring.restore(other, made, known=known(made))
    assert content(url_of(other)) == content(server.url)
    assert files(other.memweb_home / "media") == files(home / "media")
    assert len(files(home / "media")) == 13  # twelve documents and a picture

    key = other.memweb_home / "secret_key"
    assert not key.exists() or key.read_text() != (home / "secret_key").read_text()
    key.write_text("another")
    again = run("-m", "memweb", "backup", "--to", str(folder / "to"), home=key.parent, DATABASE_URL=url_of(other))
    run("-m", "memweb", "restore", again.stdout.strip(), home=third)
    assert files(third / "media") == files(home / "media")
    assert (third / "secret_key").read_text() == "another"
    assert (third / "secret_key").stat().st_mode & 0o777 == 0o600
    with database.running(of(third), StackPaths(third)) as url:  # it is not running: it is started for the time
        assert content(url) == content(server.url)


def test_only_its_owner_can_read_it(backup: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in backup.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (backup, *backup.rglob("*")) if path.is_dir()} == {0o700}


def test_no_row_lacks_its_file_while_documents_come_and_go(fresh: Fresh, folder: Path) -> None:
    env = fresh(template="memweb")
    media = env.memweb_home / "media"
    shutil.copytree(folder / "home" / "media", media)
    over = threading.Event()

    def write() -> None:
        number = 0
        with psycopg.connect(url_of(env), autocommit=True) as connection:
            connection.execute("CREATE TEMPORARY TABLE filed AS SELECT * FROM agents_document LIMIT 1")
            while not over.is_set():
                number += 1
                name, text = f"documents/new{number}.txt", f"{number}".encode() * 50
                (media / name).write_bytes(text)
                connection.execute(FILED, [name, hashlib.sha256(text).hexdigest()])
                connection.execute("INSERT INTO agents_document SELECT * FROM filed")
                if number > 20:
                    gone = f"documents/new{number - 20}.txt"
                    connection.execute("DELETE FROM agents_document WHERE file = %s", [gone])
                    (media / gone).unlink()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [making.make(env, env.memweb_home / "kept", kind="manual") for _ in range(4)]
    finally:
        over.set()
        writer.join()
    for backup, found in made:
        assert (found.missing, found.damaged) == ([], [])
        assert len(found.documents) == found.rows["agents_document"] + 1 > 13
        manifest.check(backup, found, int)
    assert made[0][1].documents.keys() != made[-1][1].documents.keys()  # it was written to meanwhile
    assert not (media / making.HELD).exists()


def test_documents_of_the_backup_before_take_no_room_again(server: Postgres, folder: Path) -> None:
    env = of(folder / "home", server.url)
    first, found = making.make(env, folder / "twice", kind="manual")
    rotten = next(iter(found.documents))
    (first / rotten).write_bytes(b"rot")
    second, _ = making.make(env, folder / "twice", kind="manual")
    shared = {name for name in found.documents if (first / name).samefile(second / name)}
    assert shared == found.documents.keys() - {rotten}


def test_a_document_that_is_lost_or_has_changed_is_told_and_stops_nothing(fresh: Fresh, folder: Path) -> None:
    env = fresh(template="memweb")
    media = env.memweb_home / "media"
    shutil.copytree(folder / "home" / "media", media)
    lost, changed, *_ = sorted(files(media))
    (media / lost).unlink()
    (media / changed).write_bytes(b"rot")
    made, found = making.make(env, env.memweb_home / "kept", kind="manual")
    assert (found.missing, found.damaged) == ([lost], [changed])
    manifest.check(made, found, int)
    assert len(found.documents) == 12


def rewrite(folder: Path, **changes: object) -> None:
    text = json.dumps(json.loads((folder / manifest.NAME).read_text()) | changes).encode()
    (folder / manifest.NAME).write_bytes(text)
    (folder / manifest.CHECKSUM).write_text(f"{hashlib.sha256(text).hexdigest()}  {manifest.NAME}\n")


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def first_document(folder: Path) -> Path:
    return folder / next(iter(manifest.read(folder).documents))


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda made: (made / manifest.NAME).unlink(), "is no whole backup"),
    "half a manifest": (lambda made: cut(made / manifest.NAME), "not the one that was written"),
    "a format of later": (lambda made: rewrite(made, format=2, memweb="9.9"), r"memweb 9\.9 in a form \(format 2\)"),
    "a migration of later": (
        lambda made: rewrite(made, memweb="9.9", migrations=["agents.9999_more"]),
        r"of memweb 9\.9, whose database has the migration agents\.9999_more; this is memweb",
    ),
    "no dump": (lambda made: (made / manifest.DUMP).unlink(), r"database\.dump cannot be read"),
    "half a dump": (lambda made: cut(made / manifest.DUMP), r"was cut short: database\.dump has"),
    "another dump": (lambda made: flip(made / manifest.DUMP), r"content of database\.dump is not what was written"),
    "other numbers of rows": (lambda made: rewrite(made, rows={"agents_agent": 7}), "should hold"),
    "no documents": (lambda made: shutil.rmtree(made / "documents"), "13 of its 13 documents are not there"),
    "one document less": (lambda made: first_document(made).unlink(), "1 of its 13 documents are not there"),
    "another document": (lambda made: flip(first_document(made)), "its checksum is another"),
    "half a document": (lambda made: cut(first_document(made)), "was cut short"),
    "no key": (lambda made: (made / manifest.KEY).unlink(), "secret_key cannot be read"),
    "a name that leads out": (
        lambda made: rewrite(made, files={"documents/../../x": {"size": 0, "sha256": ""}}),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_bad_backup_is_refused_and_nothing_is_left(harm: str, changed: Path, fresh: Fresh, backup: Path) -> None:
    do, sentence = HARM[harm]
    do(changed)
    env = fresh()
    with pytest.raises(BackupError, match=sentence):
        restoring.restore(env, changed, known=known(backup))
    assert not env.memweb_home.exists()
    assert content(url_of(env)) == {}


def test_a_folder_of_backups_says_which_there_are(backup: Path, fresh: Fresh) -> None:
    with pytest.raises(BackupError, match=f"name one of them: {backup.name}"):
        restoring.restore(fresh(), backup.parent, known=())


def test_what_is_not_empty_is_left_alone(backup: Path, fresh: Fresh) -> None:
    full = fresh(template="memweb")
    before = content(url_of(full))
    with pytest.raises(BackupError, match="database is not empty: it has the table"):
        restoring.restore(full, backup, known=known(backup))
    assert content(url_of(full)) == before and not full.memweb_home.exists()

    for name in ("media/documents/mine.txt", "secret_key"):
        env = fresh()
        file = env.memweb_home / name
        file.parent.mkdir(parents=True)
        file.write_text("mine")
        with pytest.raises(BackupError, match="is not empty: there is"):
            restoring.restore(env, backup, known=known(backup))
        assert file.read_text() == "mine" and content(url_of(env)) == {}


def test_a_running_memweb_is_left_alone(backup: Path, fresh: Fresh) -> None:
    env = fresh()
    paths = StackPaths(env.memweb_home)
    paths.create()
    with FileLock(paths.lock_file), pytest.raises(BackupError, match="memweb is running for"):
        restoring.restore(env, backup, known=known(backup))


def test_a_migration_that_fails_leaves_nothing(backup: Path, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    env = fresh()
    env.memweb_home.mkdir()
    (env.memweb_home / ".env").write_text("# mine")
    monkeypatch.setenv("MEMWEB_MAX_UPLOAD_MB", "many")  # no program of memweb starts with that
    with pytest.raises(BackupError, match="could not be brought up to this memweb"):
        restoring.restore(env, backup, known=known(backup))
    assert [path.name for path in env.memweb_home.iterdir()] == [".env"]
    assert content(url_of(env)) == {}


def test_a_full_disk_leaves_nothing(backup: Path, fresh: Fresh, server: Postgres, folder: Path, tmp_path: Path) -> None:
    env = fresh()
    settings = {"DATABASE_URL": url_of(env), "SMALL_DISK": "70000"}  # some documents are larger, others are not
    done = run("-m", "memweb", "restore", str(backup), home=env.memweb_home, code=1, **settings)
    assert "Nothing half done was left" in done.stderr
    assert not env.memweb_home.exists() and content(url_of(env)) == {}

    into, home = tmp_path / "kept", folder / "home"
    settings["DATABASE_URL"] = server.url
    done = run("-m", "memweb", "backup", "--to", str(into), home=home, code=1, **settings)
    assert "Nothing half done was left" in done.stderr
    assert not list(into.glob("memweb-*")) and not (home / "media" / making.HELD).exists()


def test_two_at_once_and_what_a_killed_one_left(server: Postgres, folder: Path, tmp_path: Path) -> None:
    env = of(folder / "home", server.url)
    left = tmp_path / f"memweb-manual-20200101-000000-0{making.PART}"
    left.mkdir()
    with FileLock(tmp_path / ".lock"), pytest.raises(BackupError, match="Another backup is being made"):
        making.make(env, tmp_path, kind="manual")
    assert left.exists()
    made, _ = making.make(env, tmp_path, kind="manual")
    assert [path.name for path in tmp_path.glob("memweb-*")] == [made.name]


def test_a_database_that_refuses(backup: Path, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    env = fresh()
    with pytest.raises(BackupError, match="The database refuses"):
        making.make(of(env.memweb_home, "postgresql://127.0.0.1:9/x"), backup, kind="manual")
    with pytest.raises(BackupError, match="holds no memweb"):
        making.make(env, env.memweb_home / "kept", kind="manual")
    with pytest.raises(BackupError, match="There is no memweb in"):
        making.make(of(env.memweb_home / "x"), env.memweb_home / "kept", kind="manual")
    monkeypatch.setattr(database, "POSTGRES_MAJOR", "17")
    with pytest.raises(BackupError, match="server is PostgreSQL 18, and memweb's pg_dump is of 17"):
        restoring.restore(env, backup, known=known(backup))
    assert not list(env.memweb_home.glob("kept/memweb-*"))


def test_a_script_that_ends_early_commits_nothing(backup: Path, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(*_: object) -> Iterator[bytes]:
        yield b"CREATE TABLE agents_half (id int);\n"
        raise BackupError("pg_restore failed")

    env = fresh()
    monkeypatch.setattr(database, "_script", half)
    with pytest.raises(BackupError, match="pg_restore failed"):
        database.load(backup / manifest.DUMP, url_of(env), only="public", count=int)
    assert content(url_of(env)) == {}


def test_an_upgrade_makes_one_first_and_an_older_one_is_migrated(fresh: Fresh, folder: Path) -> None:
    old, newer = fresh(template="memweb"), fresh()
    home, url = old.memweb_home, url_of(old)
    shutil.copytree(folder / "home" / "media", old.memweb_home / "media")
    run("-m", "django", "migrate", "agents", "0012", "-v0", home=home, DATABASE_URL=url)
    before = content(url_of(old))
    failed = run("-m", "memweb.upgrade", code=1, MEMWEB_BACKUP_DIR="/dev/null/x", home=home, DATABASE_URL=url)
    assert "nothing was changed" in failed.stderr and content(url_of(old)) == before
    run("-m", "memweb.upgrade", home=home, DATABASE_URL=url)
    (made,) = (old.memweb_home / "backups").glob("memweb-upgrade-*")
    assert "agents.0013_quotas" not in manifest.read(made).migrations
    assert manifest.read(made).rows == {name: rows for name, (rows, _) in before.items()}
    assert "agents_quota" not in before and "agents_quota" in content(url_of(old))
    restoring.restore(newer, made, known=known(made))
    after = content(url_of(newer))
    assert "agents_quota" in after and after["agents_passage"] == before["agents_passage"]


def test_the_daily_one_is_made_when_due_and_the_oldest_goes(fresh: Fresh, folder: Path) -> None:
    env = fresh(template="memweb").model_copy(update={"memweb_backup_keep": 2})
    shutil.copytree(folder / "home" / "media", env.memweb_home / "media")
    manual, _ = making.make(env, kept.folder(env), kind="manual")
    assert beat.app.conf.beat_schedule["back up"]["task"] == tasks.back_up.name
    assert kept.is_due(env)
    assert not kept.is_due(env.model_copy(update={"memweb_backup_keep": 0}))
    start = "import os; from memweb.stack.backup import kept; from memweb.stack.env import env; "
    start += "kept.start_if_due(env()); os.wait()"
    run("-c", start, home=env.memweb_home, DATABASE_URL=url_of(env))  # in a process of its own
    assert not kept.is_due(env)
    made = [kept.keep_one(env, kept.DAILY) for _ in range(2)]
    assert sorted(kept.folder(env).glob("memweb-*")) == sorted([*made, manual])
    for backup in made:
        os.utime(backup / manifest.NAME, (1, 1))
    assert kept.is_due(env)


def test_of_machines_that_share_documents_one_makes_a_backup_and_the_other_has_not_failed(
    fresh: Fresh, folder: Path
) -> None:
    env = fresh(template="memweb")
    env.memweb_home.mkdir()
    (env.memweb_home / "media").symlink_to(folder / "home" / "media")
    with FileLock(folder / "home" / "media" / making.LOCK), pytest.raises(BackupUnderWay):
        kept.keep_one(env, kept.DAILY)
    assert not kept.last(StackPaths(env.memweb_home)).failed_at
    assert kept.keep_one(env, kept.DAILY).is_dir()


def test_two_machines_upgrade_one_after_the_other(fresh: Fresh, tmp_path: Path) -> None:
    url = url_of(fresh())
    with psycopg.connect(url, autocommit=True) as other, ThreadPoolExecutor(2) as machines:
        other.execute("SELECT pg_advisory_lock(hashtext('upgrade'))")
        started = [
            machines.submit(run, "-m", "memweb.upgrade", home=tmp_path / name, DATABASE_URL=url) for name in "ab"
        ]
        until(lambda: len(sessions(other)) == 2, "both wait")
        assert other.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,)
        other.execute("SELECT pg_advisory_unlock_all()")
        assert all("OK" in one.result().stdout or "No migrations" in one.result().stdout for one in started)


def sessions(connection: psycopg.Connection[Any]) -> list[Any]:
    """Of others, in the same database."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return connection.execute(others + " AND query LIKE 'SELECT pg_try_advisory_lock%'").fetchall()


def test_a_daily_one_that_fails_is_noted_and_tried_again_later(fresh: Fresh, tmp_path: Path) -> None:
    env = fresh(template="memweb").model_copy(update={"memweb_backup_dir": tmp_path / "file" / "kept"})
    (tmp_path / "file").touch()
    paths = StackPaths(env.memweb_home)
    with pytest.raises(BackupError, match="file"):
        kept.keep_one(env, kept.DAILY)
    assert "file" in kept.last(paths).error and not kept.is_due(env)
    ok = env.model_copy(update={"memweb_backup_dir": tmp_path / "kept"})
    kept.keep_one(ok, kept.DAILY)
    assert (kept.last(paths).error, kept.last(paths).folder[: len(str(tmp_path))]) == ("", str(tmp_path))

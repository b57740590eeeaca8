"""The `memweb` command; `python -m memweb` is the same."""

import dataclasses
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn

import click
from pydantic import ValidationError

from memweb import __version__
from memweb.backups import backup, restore
from memweb.examination import doctor
from memweb.own_functions import own_functions
from memweb.stack.env import COMMAND, ENV_FILE, env
from memweb.stack.exceptions import StackError
from memweb.stack.local_server import read_local_server
from memweb.stack.paths import StackPaths
from memweb.stack.plan import plan_for
from memweb.stack.pooling import ADVICE, NEED_SESSIONS, shares_sessions
from memweb.stack.supervisor import Supervisor
from memweb.terminal.commands import COMMANDS
from memweb.tokens import token


@click.group()
@click.version_option(__version__, message="memweb %(version)s")
def main() -> None:
    """Chat with agents that manage their own memory, and see that memory.

    Everything lies in ~/.memweb (MEMWEB_HOME); settings are read from a file .env.
    `memweb backup` makes a copy of it, also while memweb runs.
    """
    try:
        env()
    except ValidationError as error:  # a sentence for each setting that cannot be, and no traceback
        faults = [
            (str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()
        ]
        raise click.ClickException("\n".join(f"{name}: {message}" for name, message in faults)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"The settings in {ENV_FILE} cannot be read: {error}.") from error
    os.environ.setdefault("MEMWEB_HOME", str(env().memweb_home))  # .env may say it, which the client does not read


@main.command()
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def up(quiet: bool) -> None:
    """Start everything; Ctrl-C stops it.

    Prints an address that logs you in. The first time it fetches the weights of a small model, unless you set another.
    """
    _check_sessions()
    _run(lambda: Supervisor(plan_for(env()), quiet=quiet))


@main.command()
def status() -> None:
    """Whether memweb runs here, and whether all is there that it needs.

    Ends with 1 if not. The same over HTTP: /readyz.
    """
    server = read_local_server(StackPaths(env().memweb_home))
    if server is None:
        raise click.ClickException(f"memweb does not run here. Start it with `{COMMAND} up`.")
    try:
        told = _readiness(server.url)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"memweb at {server.url} gives no answer: {error}") from error
    for name in told["checked"]:
        click.echo(f"{name:12} {told['faults'].get(name, 'ok')}")
    sys.exit(0 if told["ready"] else 1)


def _readiness(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as not_ready:
        told = json.load(not_ready)
    found: dict[str, Any] = told
    return found


def _run(supervisor: Callable[[], Supervisor]) -> NoReturn:
    """Ends with its exit code, or with a sentence where it cannot begin: a home that cannot be written to."""
    try:
        sys.exit(supervisor().run())
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Django's commands: login_url, reembed, ...

    Beside a running memweb. `memweb manage help` lists them.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["memweb manage", *arguments])


for command in (*COMMANDS, token, backup, restore, doctor, own_functions):
    main.add_command(command)


@main.command()
@click.argument("name")
def start(name: str) -> None:
    """Run one of memweb's programs alone, for containers, systemd and more than one machine.

    NAME is upgrade, which migrates the database and ends, web, worker-runs, worker-background, worker-ingest, beat
    or metrics. It is stopped by SIGTERM; whoever started it starts it again.
    DATABASE_URL, REDIS_URL and OPENAI_BASE_URL or OPENAI_API_KEY must be set.
    """
    missing = [setting for setting, given in _services_of_ones_own().items() if not given]
    if missing:
        raise click.ClickException(f"{' and '.join(missing)} must be set: `{COMMAND} start` starts nothing beside it.")
    plan = plan_for(env())
    programs = {"upgrade": plan.set_up[0], **{program.name: program for program in plan.programs}}
    if name not in programs:
        raise click.ClickException(f"There is no program {name}. There are: {', '.join(programs)}.")
    if name in NEED_SESSIONS:
        _check_sessions()
    try:
        plan.paths.create()
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error
    os.chdir(plan.paths.home)
    os.execve(programs[name].command[0], [*programs[name].command], dict(plan.environment))


def _check_sessions() -> None:
    url = env().database_url
    if url and shares_sessions(url):
        raise click.ClickException(ADVICE)


def _services_of_ones_own() -> dict[str, bool]:
    found = env()
    return {
        "DATABASE_URL": bool(found.database_url),
        "REDIS_URL": bool(found.redis_url),
        "OPENAI_BASE_URL or OPENAI_API_KEY": found.has_own_endpoint,
    }


@main.command()
def services() -> None:
    """Start only PostgreSQL and Valkey, to develop.

    Ctrl-C stops them.
    """
    plan = plan_for(env())
    click.echo(f"export DATABASE_URL='{plan.environment['DATABASE_URL']}'")
    click.echo(f"export REDIS_URL='{plan.environment['REDIS_URL']}'")
    _run(lambda: Supervisor(dataclasses.replace(plan, set_up=[], programs=[])))

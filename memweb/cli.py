"""The `memweb` command; `python -m memweb` is the same."""

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click
from pydantic import ValidationError

from memweb import __version__
from memweb.backups import backup, restore
from memweb.stack.env import ENV_FILE, env
from memweb.stack.exceptions import StackError
from memweb.stack.plan import plan_for
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
    _run(lambda: Supervisor(plan_for(env()), quiet=quiet))


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


for command in (*COMMANDS, token, backup, restore):
    main.add_command(command)


@main.command()
def services() -> None:
    """Start only PostgreSQL and Valkey, to develop.

    Ctrl-C stops them.
    """
    plan = plan_for(env())
    click.echo(f"export DATABASE_URL='{plan.environment['DATABASE_URL']}'")
    click.echo(f"export REDIS_URL='{plan.environment['REDIS_URL']}'")
    _run(lambda: Supervisor(dataclasses.replace(plan, set_up=[], programs=[])))

"""The `memweb` command; `python -m memweb` is the same."""

import dataclasses
import sys

import click
from pydantic import ValidationError

from memweb.stack.env import env
from memweb.stack.plan import plan_for
from memweb.stack.supervisor import Supervisor
from memweb.terminal.commands import COMMANDS


@click.group()
def main() -> None:
    """memweb: chat with agents that manage their own memory."""
    try:
        env()
    except ValidationError as error:  # a sentence for each setting that cannot be, and no traceback
        faults = [
            (str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")) for fault in error.errors()
        ]
        raise click.ClickException("\n".join(f"{name}: {message}" for name, message in faults)) from error


@main.command()
def up() -> None:
    """Start everything and print an address to open. Ctrl-C stops it."""
    sys.exit(Supervisor(plan_for(env())).run())


for command in COMMANDS:
    main.add_command(command)


@main.command()
def services() -> None:
    """Start the embedded PostgreSQL and Valkey only, for development. Ctrl-C stops them."""
    plan = plan_for(env())
    click.echo(f"export DATABASE_URL='{plan.environment['DATABASE_URL']}'")
    click.echo(f"export REDIS_URL='{plan.environment['REDIS_URL']}'")
    sys.exit(Supervisor(dataclasses.replace(plan, set_up=[], programs=[])).run())

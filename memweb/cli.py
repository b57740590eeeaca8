"""The `memweb` command; `python -m memweb` is the same."""

import dataclasses
import sys

import click

from memweb.stack.env import env
from memweb.stack.plan import plan_for
from memweb.stack.supervisor import Supervisor


@click.group()
def main() -> None:
    """memweb: chat with agents that manage their own memory."""


@main.command()
def run() -> None:
    """Start everything and print an address to open. Ctrl-C stops it."""
    sys.exit(Supervisor(plan_for(env())).run())


@main.command()
def services() -> None:
    """Start the embedded PostgreSQL and Valkey only, for development. Ctrl-C stops them."""
    plan = plan_for(env())
    click.echo(f"export DATABASE_URL='{plan.environment['DATABASE_URL']}'")
    click.echo(f"export REDIS_URL='{plan.environment['REDIS_URL']}'")
    sys.exit(Supervisor(dataclasses.replace(plan, set_up=[], programs=[])).run())

"""`memweb token`: access tokens for programs, made and revoked at the terminal."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from memweb.running import running_memweb
from memweb.stack.env import COMMAND, env

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NAMES_SHOWN = 20
PIPED_WIDTH = 250  # characters; no row of a list is longer


@click.group()
def token() -> None:
    """Access tokens, by which programs come in.

    memweb must be running.
    """


@token.command()
@click.option("--user", metavar="NAME", help="Whose it is; by default the owner of this installation.")
@click.option("--name", metavar="LABEL", default="terminal", show_default=True, help="What it is for.")
def create(user: str | None, name: str) -> None:
    """Make a token and print it, this one time.

    It stands alone on the last line, which is all that goes to standard output.
    """
    with running_memweb():
        from agents import services
        from agents.exceptions import InvalidInput
        from chat.owner import owner

        person = _person(user) if user else owner()
        try:
            made, text = services.token_create(owner=person, name=name)
        except InvalidInput as error:
            raise click.ClickException(str(error)) from error
    click.echo(
        f"“{made.name}”, a token of {person.username}. It is not shown again. Send it with each request to", err=True
    )
    click.echo(f"{env().local_url}/v1 in the header `Authorization: Bearer TOKEN`:", err=True)
    click.echo(text)


@token.command("list")
@click.option("--user", metavar="NAME", help="Only this person's.")
def show(user: str | None) -> None:
    """All tokens that were made, by the last characters of each."""
    from rich.console import Console
    from rich.table import Table

    with running_memweb():
        from agents.models import Token

        tokens = Token.objects.select_related("owner")
        rows = list(tokens.filter(owner=_person(user)) if user else tokens)
    if not rows:
        click.echo(f"There are none yet. Make one with `{COMMAND} token create`.")
        return
    table = Table("id", "user", "name", "token", "made", "last used", "revoked", box=None, pad_edge=False)
    for row in rows:
        times = [_local(moment) for moment in (row.created_at, row.last_used_at, row.revoked_at)]
        table.add_row(str(row.pk), row.owner.username, row.name, f"…{row.hint}", *times)
    Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False).print(table)


@token.command()
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**63 - 1))
def revoke(number: int) -> None:
    """Make a token open nothing from now on. ID is the one that `list` shows."""
    with running_memweb():
        from agents import services
        from agents.models import Token

        found = Token.objects.select_related("owner").filter(pk=number).first()
        if found is None:
            raise click.ClickException(f"There is no token {number}. `{COMMAND} token list` shows those there are.")
        services.token_revoke(token=found)
    click.echo(f"“{found.name}” of {found.owner.username} (…{found.hint}) opens nothing from now on.")


def _person(name: str) -> "User":
    from django.contrib.auth.models import User

    person = User.objects.filter(username=name).first()
    if person:
        return person
    names = list(User.objects.order_by("username").values_list("username", flat=True)[: NAMES_SHOWN + 1])
    there = ", ".join(names[:NAMES_SHOWN]) + (", and more" if len(names) > NAMES_SHOWN else "")
    raise click.ClickException(f"There is no user {name}. There are: {there or 'none yet'}.")


def _local(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "-"

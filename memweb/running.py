"""For commands that work on the database of the memweb that runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from memweb.stack.env import COMMAND, env
from memweb.stack.paths import StackPaths


@contextmanager
def running_memweb() -> Iterator[None]:
    """Django on the database of the memweb that runs; a sentence where none does."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    import django
    import psycopg
    from django.db import DatabaseError

    try:  # Django's own pool would wait for a server that is not there
        psycopg.connect(env().database_url or StackPaths(env().memweb_home).database_url, connect_timeout=5).close()
        django.setup()
        yield
    except (psycopg.OperationalError, DatabaseError) as error:
        raise click.ClickException(
            f"memweb must be running for this, and its database does not answer. Start it with `{COMMAND} up`."
        ) from error

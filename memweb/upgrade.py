"""`python -m memweb.upgrade`: brings the database up to this memweb, after a backup where there is data.

Started on several machines at once, one does it and the others wait.
"""

import os
import sys
import time

import django
from django.core.management import call_command
from django.db import connection

from agents.locks import try_lock
from agents.schema import missing_migrations
from memweb.stack.backup import kept
from memweb.stack.env import env
from memweb.stack.exceptions import StackError


def main() -> None:
    """Ends with a sentence when the backup fails: nothing is migrated then."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memweb.settings")
    django.setup()
    while not _upgraded():
        time.sleep(1)  # not in the database: what waits there would be waited for by an index that is built


def _upgraded() -> bool:
    """False while another machine is at it."""
    with try_lock("upgrade") as acquired:
        if acquired:
            _upgrade()
    return acquired


def _upgrade() -> None:
    if env().memweb_backup_keep and _will_change_data():
        try:
            print(f"Backed up before the upgrade: {kept.keep_one(env(), kept.UPGRADE)}")
        except StackError as error:
            sys.exit(
                f"{error}\nmemweb makes a backup before an upgrade, and this one failed: nothing was changed. "
                "Mend that, or set MEMWEB_BACKUP_KEEP=0 to go on without."
            )
    call_command("migrate", interactive=False)


def _will_change_data() -> bool:
    """True when migrations are to be applied to a database that people have been in."""
    if "auth_user" not in connection.introspection.table_names() or not missing_migrations():
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM auth_user)")
        return bool(cursor.fetchone()[0])


if __name__ == "__main__":
    main()

"""A PostgreSQL server of a benchmark's own, and Django set up on it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres


@contextmanager
def database(folder: Path | None = None) -> Iterator[Postgres]:
    """Migrated, with the settings of a fresh install and no broker, in `folder` or in one that is deleted again."""
    with TemporaryDirectory(prefix="memweb-benchmark-") as temporary:
        home = folder or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)  # PostgreSQL's own user has to pass
        paths = StackPaths(home)
        server = Postgres(paths)
        server.start()
        try:
            _set_up(home, paths)
            yield server
        finally:
            server.stop()


def _set_up(home: Path, paths: StackPaths) -> None:
    for name in [name for name in os.environ if name.startswith("MEMWEB_")]:
        del os.environ[name]
    os.environ |= {
        "MEMWEB_ENV_FILE": os.devnull,
        "MEMWEB_HOME": str(home),
        "DATABASE_URL": paths.database_url,
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "DJANGO_SETTINGS_MODULE": "memweb.settings",
        "OMP_WAIT_POLICY": "PASSIVE",  # as the supervisor has it
    }
    import django

    django.setup()
    logging.disable(logging.WARNING)  # there is no broker to tell pages of changes
    from django.core.management import call_command

    call_command("migrate", verbosity=0)

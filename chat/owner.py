"""Whose installation this is."""

import getpass

from django.contrib.auth.models import User


def owner() -> User:
    """The first superuser; on a new installation one named after the person, without a password."""
    first = User.objects.filter(is_superuser=True).order_by("pk").first()
    if first:
        return first
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "owner"
    return User.objects.create_user(name, is_staff=True, is_superuser=True)

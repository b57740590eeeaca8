"""Prints an address that logs the local owner in, once, within a day."""

import getpass
from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.urls import reverse

from chat.login_tokens import login_tokens
from memweb.stack.env import env


class Command(BaseCommand):
    help = "Print a one-time login address for the owner of this installation, who is made if there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="For this user instead of the owner.")

    def handle(self, *args: object, user: str | None = None, **options: object) -> None:
        owner = User.objects.get(username=user) if user else _owner()
        path = reverse("enter", args=[owner.pk, login_tokens.make_token(owner)])
        host = "127.0.0.1" if env().memweb_host in ("0.0.0.0", "::") else env().memweb_host
        self.stdout.write(f"http://{host}:{env().memweb_port}{path}")


def _owner() -> User:
    """The first superuser; on a new installation one named after the person, without a password."""
    owner = User.objects.filter(is_superuser=True).order_by("pk").first()
    if owner:
        return owner
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "owner"
    return User.objects.create_user(name, is_staff=True, is_superuser=True)

"""Prints an address that logs the local owner in, once, within a day."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.urls import reverse

from agents import services
from chat.login_tokens import login_tokens
from chat.owner import owner
from memweb.stack.env import env
from memweb.stack.local_server import read_local_server
from memweb.stack.paths import StackPaths


class Command(BaseCommand):
    help = "Print a one-time login address for the owner of this installation, who is made if there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", help="For this user instead of the owner.")
        parser.add_argument(
            "--token", action="store_true", help="Before it, the access token for programs on this machine."
        )

    def handle(self, *args: object, user: str | None = None, token: bool = False, **options: object) -> None:
        person = User.objects.get(username=user) if user else owner()
        if token:
            known = read_local_server(StackPaths(env().memweb_home))
            self.stdout.write(services.token_of_this_machine(owner=person, known=known.token if known else ""))
        path = reverse("enter", args=[person.pk, login_tokens.make_token(person)])
        self.stdout.write(f"{env().local_url}{path}")

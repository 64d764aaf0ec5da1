"""`manage.py deploy_backend`: create or update the serverless backend."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversions import backend
from conversions.backend import stack
from conversions.services import edge_verify


class Command(BaseCommand):
    help = "Create or update the backend's stack; without a change it does nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["yes"] and input("Deploy the backend? [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was done.")
        try:
            deployed = stack.deploy(say=self.stdout.write)
            differing = edge_verify()  # a table that was made anew knows nobody
        except backend.BackendError as error:
            raise CommandError(str(error)) from error
        if differing:
            self.stdout.write(f"{differing} items of the edge table are to be published again.")
        for name, value in sorted(deployed.outputs.items()):
            self.stdout.write(f"{name}: {value}")

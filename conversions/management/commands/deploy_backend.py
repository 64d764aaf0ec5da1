"""`manage.py deploy_backend`: create or update the serverless backend; usage plans follow.

Whatever ends it, the next run goes on: the stack is waited for, and plans that have not moved do.
"""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from conversions import backend
from conversions.backend import stack
from conversions.backend.changes import ChangeSet
from conversions.services import edge_verify, lifecycle_apply
from tenants import gateway
from tenants.services import stages


class Command(BaseCommand):
    help = "Create or update the backend's stack; without a change it does nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Apply changes without asking.")
        parser.add_argument(
            "--close-old",
            action="store_true",
            help="Also close and delete stages that were replaced; keys are refused there then.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["yes"] and not sys.stdin.isatty():
            raise CommandError("Nobody is there to be asked: add --yes to apply changes.")
        self._may_ask = not options["yes"]
        try:
            deployed = stack.deploy(say=self.stdout.write, agree=self._agree)
            if not deployed.was_changed:
                self.stdout.write("Nothing to change.")
            differing = edge_verify()  # a table that was made anew knows nobody
            lifecycle_apply(now=timezone.now())
            self._follow(deployed.outputs, is_closing=options["close_old"])
        except stack.Declined as declined:
            raise CommandError("Nothing was done.") from declined
        except (backend.BackendError, gateway.GatewayError) as error:
            raise CommandError(str(error)) from error
        if differing:
            self.stdout.write(f"{differing} items of the edge table are to be published again.")
        for name, value in sorted(deployed.outputs.items()):
            self.stdout.write(f"{name}: {value}")

    def _agree(self, changes: ChangeSet) -> bool:
        self.stdout.write(f"Changes of the stack {settings.BACKEND_STACK_NAME}:")
        for line in changes.lines:
            self.stdout.write(line)
        return not self._may_ask or input("Apply them? [y/N] ").strip().lower() == "y"

    def _follow(self, outputs: dict[str, str], *, is_closing: bool) -> None:
        """Store the API's id, stage and address, and have the usage plans follow."""
        api_id, stage = outputs["ApiId"], outputs["Stage"]
        if settings.BACKEND_API_ID and api_id != settings.BACKEND_API_ID:
            self.stdout.write(
                f"BACKEND_API_ID is {settings.BACKEND_API_ID}, so the usage plans open that API,"
                f" and not {api_id}."
            )
        say = self.stdout.write
        stages.stage_open(
            api_id=api_id, name=stage, base_url=outputs["BaseUrl"], clock=timezone.now, say=say
        )
        if is_closing:
            stages.stages_close(clock=timezone.now, say=say)
        for old in stages.stages_replaced():
            say(f"{old} stays open for those who still call it, until --close-old is given.")

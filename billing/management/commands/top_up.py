"""`manage.py top_up`: buy the packs that run low, as beat does, or say which would be."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from billing import services


class Command(BaseCommand):
    help = "Buy packs for the tenants who want that. Again buys nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would: " if options["dry_run"] else ""
        with tqdm(disable=None, unit=" tenants", leave=False) as bar:  # on a terminal only

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            run = services.top_ups_run(
                clock=timezone.now, dry_run=options["dry_run"], progress=progress
            )
        for line in run.settled:
            self.stdout.write(f"{would}{line}")
        self.stdout.write(f"{run.bought} packs.")
        if run.failed:
            reasons = "; ".join(f"{tenant}: {why}" for tenant, why in run.failed.items())
            raise CommandError(f"{len(run.failed)} failed: {reasons}")

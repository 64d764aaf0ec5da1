"""`manage.py collect`: what beat does every hour, now and here, or what it would do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from billing import services


class Command(BaseCommand):
    help = "Charge what is open to the saved cards, credit first. Again charges nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would: " if options["dry_run"] else ""
        with tqdm(disable=None, unit=" invoices", leave=False) as bar:  # on a terminal only

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            run = services.collect(
                now=timezone.now(), dry_run=options["dry_run"], progress=progress
            )
        for line in run.done:
            self.stdout.write(f"{would}{line}")
        self.stdout.write(f"{len(run.done)} invoices.")
        if run.failed:
            reasons = "; ".join(f"{number}: {why}" for number, why in run.failed.items())
            raise CommandError(f"{len(run.failed)} failed: {reasons}")

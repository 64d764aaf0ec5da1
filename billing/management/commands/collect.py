"""`manage.py collect`: what beat does every hour, now and here, or what it would do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing import services
from billing.management.runs import bar_of, failed_raise, progress_of


class Command(BaseCommand):
    help = "Charge what is open to the saved cards, credit first. Again charges nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would: " if options["dry_run"] else ""
        with bar_of("invoices") as bar:
            run = services.collect(
                now=timezone.now(), dry_run=options["dry_run"], progress=progress_of(bar)
            )
        for line in run.done:
            self.stdout.write(f"{would}{line}")
        self.stdout.write(f"{len(run.done)} invoices.")
        failed_raise(run.failed)

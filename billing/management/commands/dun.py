"""`manage.py dun`: open cases of what could not be collected, and take the steps that are due."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing import services
from billing.management.runs import bar_of, failed_raise, progress_of


class Command(BaseCommand):
    help = "Dun what could not be collected. Again on the same day does nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would " if options["dry_run"] else ""
        with bar_of("invoices") as bar:
            run = services.dun(
                now=timezone.now(), dry_run=options["dry_run"], progress=progress_of(bar)
            )
        for line in run.opened:
            self.stdout.write(f"{would}open  {line}")
        for line in run.taken:
            self.stdout.write(f"{would}take  {line}")
        self.stdout.write(f"{len(run.opened)} cases, {len(run.taken)} steps.")
        failed_raise(run.failed)

"""`manage.py top_up`: buy the packs that run low, as beat does, or say which would be."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing import services
from billing.management.runs import bar_of, failed_raise, progress_of


class Command(BaseCommand):
    help = "Buy packs for the tenants who want that. Again buys nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would: " if options["dry_run"] else ""
        with bar_of("tenants") as bar:
            run = services.top_ups_run(
                clock=timezone.now, dry_run=options["dry_run"], progress=progress_of(bar)
            )
        for line in run.settled:
            self.stdout.write(f"{would}{line}")
        self.stdout.write(f"{run.bought} packs.")
        failed_raise(run.failed)

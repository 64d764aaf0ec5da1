"""`manage.py reconcile`: what beat does every night, now and here, or what it would do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import services
from billing.management.runs import bar_of


class Command(BaseCommand):
    help = "Compare with Stripe: events, balance, disputes, books. Exits 1 where they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        with bar_of("done") as bar:

            def progress(part: str, done: int) -> None:
                bar.set_description(part, refresh=False)
                bar.update(done - bar.n)

            found = services.reconcile(
                now=timezone.now(), dry_run=options["dry_run"], progress=progress
            )
        for one in found:
            sign = "≠" if one.is_difference else " "
            self.stdout.write(f"{sign} {one.part:<9} {one.words.english}")
        if options["dry_run"]:
            self.stdout.write("A dry run: nothing was written.")
        differences = sum(one.is_difference for one in found)
        if differences:
            raise CommandError(f"Differences: {differences}, the lines with ≠.")
        self.stdout.write("No differences.")

"""`manage.py bill --as-of DATE`: write the month's invoices and collect them."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import services
from billing.money import display


class Command(BaseCommand):
    help = "Write and collect the invoices of the month that a date is in. Again writes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", help="A date, YYYY-MM-DD; today (UTC) without it.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        as_of = now.date()
        if options["as_of"]:
            try:
                as_of = date.fromisoformat(options["as_of"])
            except ValueError as error:
                raise CommandError(f"--as-of: {error}. Give a date like 2026-12-01.") from error
        run = services.bill(
            as_of=as_of, now=now, dry_run=options["dry_run"], progress=self._progress
        )
        for line in run.would_write:
            self.stdout.write(f"would write  {line}")
        for invoice in run.written:
            total = display(invoice.total, invoice.currency, language="en")
            self.stdout.write(f"{invoice.number}  {total:>12}  {invoice.tenant}")
        self.stdout.write(
            f"{len(run.written)} invoices written, {run.collected} collected, "
            f"{run.declined} declined."
        )
        if run.failed:
            reasons = "; ".join(f"{who}: {why}" for who, why in run.failed.items())
            raise CommandError(f"{len(run.failed)} failed: {reasons}")

    def _progress(self, done: int, total: int) -> None:
        if done % 1000 == 0 or (done == total and total >= 1000):
            self.stderr.write(f"{done} of {total} subscriptions")

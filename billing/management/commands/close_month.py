"""`manage.py close_month`: what beat does every hour, now and here, or what it would do."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import services
from billing.management.runs import bar_of, failed_raise, progress_of
from billing.models import Invoice
from billing.money import display
from billing.services.issuing import Draft
from tenants.errors import Refused


class Command(BaseCommand):
    help = (
        "Issue what is due: the usage of the last months that has settled, and the fees of the "
        "months after them. Again issues nothing. Open invoices are charged by beat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--month", help="A month that is over, YYYY-MM; the last three without it."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        month = _month(options["month"]) if options["month"] else None
        is_dry = options["dry_run"]
        with bar_of("subscriptions") as bar:

            def tell(invoice: Invoice, draft: Draft) -> None:
                total = display(invoice.total, invoice.currency, language="en")
                number = invoice.number or "would issue"
                with bar.external_write_mode(file=self.stdout):
                    self.stdout.write(
                        f"{number}  {total:>12}  {draft.tenant}: {draft.lines[0].description}"
                    )

            try:
                run = services.close_month(
                    now=timezone.now(),
                    month=month,
                    dry_run=is_dry,
                    each=tell,
                    progress=progress_of(bar),
                )
            except Refused as refusal:
                raise CommandError(f"--month: {refusal}") from refusal
        self.stdout.write(f"{run.invoices} invoices {'would be ' if is_dry else ''}issued.")
        for first, count in services.months_missed(now=timezone.now()).items():
            self.stdout.write(
                f"{first:%Y-%m} is too long ago to be looked at, and not closed for {count} "
                f"subscriptions: close_month --month {first:%Y-%m}"
            )
        failed_raise(run.failed)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise CommandError(f"--month: {error}. Give a month like 2026-12.") from error

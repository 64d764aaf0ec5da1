"""`manage.py exchange_rate USD JPY 151.23 --source "…"`: enter a day's rate of exchange."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.services.taxes import exchange_rate_set
from billing.tax_tables import issuer_day


class Command(BaseCommand):
    help = "Enter what one unit of a currency is worth, for the tax that has to be stated in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("currency", help="The currency of invoices, for example USD.")
        parser.add_argument("home_currency", help="The issuer's own, for example JPY.")
        parser.add_argument("rate", help="What one unit is worth in it, for example 151.23.")
        parser.add_argument("--source", required=True, help="Who says so, for example a bank.")
        parser.add_argument("--on", help="The day, YYYY-MM-DD; the issuer's today without it.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            rate = Decimal(options["rate"])
            day = date.fromisoformat(options["on"]) if options["on"] else issuer_day(now)
        except (InvalidOperation, ValueError) as error:
            raise CommandError(
                f"Give a rate like 151.23 and a day like 2026-12-01: {error}"
            ) from error
        if not (rate.is_finite() and rate > 0):
            raise CommandError(f"A rate is above zero: {rate}")
        row = exchange_rate_set(
            currency=options["currency"].upper(),
            home_currency=options["home_currency"].upper(),
            day=day,
            rate=rate,
            source=options["source"],
            now=now,
        )
        self.stdout.write(f"{row}: {row.source}")

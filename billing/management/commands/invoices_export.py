"""`manage.py invoices_export --from DATE --until DATE`: what was issued, for the bookkeeper."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.export import CONTENT_TYPES, export, issued


class Command(BaseCommand):
    help = "Write the invoices that were issued on days of the issuer's time zone to the output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", required=True, help="YYYY-MM-DD, included.")
        parser.add_argument("--until", dest="last", required=True, help="YYYY-MM-DD, included.")
        parser.add_argument("--format", choices=list(CONTENT_TYPES), default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            first, last = (date.fromisoformat(options[name]) for name in ("first", "last"))
        except ValueError as error:
            raise CommandError(f"{error}. Give days like 2026-12-01.") from error
        for text in export(issued(first=first, last=last), format_=options["format"]):
            self.stdout.write(text, ending="")

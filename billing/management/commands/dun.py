"""`manage.py dun`: open cases of what could not be collected, and take the steps that are due."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from billing import services


class Command(BaseCommand):
    help = "Dun what could not be collected. Again on the same day does nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        would = "would " if options["dry_run"] else ""
        with tqdm(disable=None, unit=" invoices", leave=False) as bar:  # on a terminal only

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            run = services.dun(now=timezone.now(), dry_run=options["dry_run"], progress=progress)
        for line in run.opened:
            self.stdout.write(f"{would}open  {line}")
        for line in run.taken:
            self.stdout.write(f"{would}take  {line}")
        self.stdout.write(f"{len(run.opened)} cases, {len(run.taken)} steps.")
        if run.failed:
            reasons = "; ".join(f"{number}: {why}" for number, why in run.failed.items())
            raise CommandError(f"{len(run.failed)} failed: {reasons}")

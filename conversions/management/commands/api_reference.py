"""`manage.py api_reference`: write what follows from the template, once that was changed."""

from typing import Any

from django.core.management.base import BaseCommand

from conversions import reference


class Command(BaseCommand):
    help = "Write the sold API's OpenAPI document, and name its deployment in the template."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write("Written." if reference.write() else "Nothing has changed.")

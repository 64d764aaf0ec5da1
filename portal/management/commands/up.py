"""`manage.py up`: what must be done before the processes of this version start.

Catalogues, migrations, seeds, the backend's stack, the usage plans. Safe to repeat, also after a
crash halfway; `make run` calls it at each start, a production installation at each release.
"""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants import gateway
from tenants.services import mirrors


def migrate(**of: str) -> None:
    """Bring the database, or a `database` or `app_label` of one's choice, to what the code says.

    Django makes a migration's tables in one transaction, and often notes it in the next. Who dies
    between the two finds all tables of an initial migration there: then only the note is missing.
    """
    call_command("migrate", interactive=False, verbosity=0, fake_initial=True, **of)


class Command(BaseCommand):
    help = "Migrate, seed, deploy the backend's stack and mirror the usage plans to the gateway."

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("translations", stdout=self.stdout)
        migrate()
        call_command("seed", stdout=self.stdout)
        if not settings.DEBUG:  # in development whitenoise reads the apps' own folders
            call_command("collectstatic", interactive=False, verbosity=0)
        call_command("deploy_backend", yes=True, stdout=self.stdout)
        try:
            mirrors.mirrors_follow(clock=timezone.now, say=self.stdout.write)
        except gateway.GatewayError as error:
            raise CommandError(f"The usage plans cannot be mirrored: {error}") from error
        self.stdout.write("Ready to start.")

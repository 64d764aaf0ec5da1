"""`manage.py compare_gateway`: what beat does every hour, now and here."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants import gateway
from tenants.models import GatewayDrift
from tenants.services import drift


class Command(BaseCommand):
    help = (
        "Compare the gateway's plans and keys with our rows, list what differs, and have it put "
        "right where that can be done. Exits with 1 while something differs."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            drift.gateway_compare(clock=timezone.now)
        except gateway.GatewayError as error:
            raise CommandError(f"The gateway cannot be read: {error}") from error
        standing = GatewayDrift.objects.filter(ended_at=None)
        for each in standing.select_related("version__api_key__tenant"):
            whose = f" ({each.version.api_key.tenant}, {each.version})" if each.version else ""
            self.stdout.write(f"{each}{whose}")
        if standing:
            raise CommandError(f"Differences at the gateway: {len(standing)}")
        self.stdout.write("The gateway is what our rows say.")

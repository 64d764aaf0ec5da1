"""`manage.py sync_usage`: what beat does every few minutes, now and here."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants import gateway
from tenants.models import GatewayPlan
from tenants.services import reconcile, usage


class Command(BaseCommand):
    help = "Read every usage plan's usage from the gateway, and settle the leases that it moves."

    def handle(self, *_args: Any, **_options: Any) -> None:
        mirrors = GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan")
        if not mirrors:
            self.stdout.write("No usage plan is in the gateway yet; nothing to read.")
        for mirror in mirrors:
            now = timezone.now()
            try:
                read = usage.usage_sync(mirror=mirror, now=now)
            except gateway.GatewayError as error:
                raise CommandError(
                    f"{mirror.usage_plan.code} ({mirror.slot}) cannot be read: {error}"
                ) from error
            for tenant in usage.tenants_to_reconcile_after_sync(mirror=mirror, now=now):
                reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
            self.stdout.write(f"{mirror.usage_plan.code} ({mirror.slot}): {read} keys")

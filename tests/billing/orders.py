"""Orders of who signed up late in November: the days they come back, and a pack to buy."""

from datetime import UTC, datetime, timedelta

from billing import services
from billing.models import Order
from tenants.models import Tenant

SIGNED_UP = datetime(2026, 11, 24, 12, tzinfo=UTC)  # 7 of 30 days are left, today included
NEXT_DAY = SIGNED_UP + timedelta(days=1)
NEXT_MONTH = datetime(2026, 12, 2, 12, tzinfo=UTC)  # 30 of 31


def extension(tenant: Tenant, *, form: str = "1", now: datetime = SIGNED_UP) -> Order:
    return services.extension_order(
        tenant=tenant, pack_code="extra-100", token=form, actor=None, now=now
    )

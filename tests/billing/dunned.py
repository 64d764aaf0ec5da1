"""An invoice that cannot be collected, what was tried, and what its tenant's cards were charged."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import transaction

from billing import services
from billing.lines import Line
from billing.models import Customer, DunningCase, DunningDone, Invoice, InvoiceKind
from billing.services.invoices import invoice_issue
from tenants.models import Hold, Mail, Tenant
from tests.billing.conftest import SignUpCall, stripe_client
from tests.billing.saved_cards import carded

FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)
DECLINES, ASKS, GOOD = (
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired",
    "pm_card_visa",
)


def use_card(tenant: Tenant, card: str) -> None:
    Customer.objects.filter(tenant=tenant).update(payment_method_id=card)


def issue(tenant: Tenant, amount: int = 29_00, month: int = 12) -> Invoice:
    """Issue an invoice over a month's fee."""
    with transaction.atomic():
        return invoice_issue(
            tenant=tenant,
            kind=InvoiceKind.FEE,
            currency="USD",
            period=(date(2026, month, 1), date(2026, month, 28)),
            lines=[Line("Starter, 2026-12", 1, Decimal(amount), amount)],
            now=FIRST,
            subscription=tenant.subscriptions.latest("id"),
        )


def uncollected(sign_up: SignUpCall, card: str = DECLINES) -> Invoice:
    """Sign up, and charge a month's fee to a card that does not pay; "" for none."""
    tenant = carded(sign_up)
    use_card(tenant, card)
    invoice = issue(tenant)
    services.invoice_collect(invoice=invoice, now=FIRST)
    invoice.refresh_from_db()
    return invoice


def charges(tenant: Tenant) -> list[int]:
    """Return what the tenant's cards were charged, oldest first."""
    customer = Customer.objects.get(tenant=tenant).stripe_id
    found = stripe_client().v1.charges.list({"customer": customer, "limit": 100})
    return [charge.amount for charge in found if charge.paid][::-1]


def on(day: int, hour: int = 6) -> datetime:
    """Return an hour of a day of December 2026, UTC."""
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def taken() -> list[tuple[int, int, str]]:
    """Return the steps that were taken: the day of December, the schedule's day, the outcome."""
    return [
        (step.done_at.day, step.day, step.outcome) for step in DunningDone.objects.order_by("day")
    ]


def kinds() -> list[str]:
    """Return of what each mail about money was."""
    kinds = Mail.objects.order_by("id").values_list("kind", flat=True)
    return [kind.removeprefix("billing.") for kind in kinds]


def is_held(tenant: Tenant) -> bool:
    return Hold.objects.filter(tenant=tenant, reason="dunning", lifted_at=None).exists()


def until_suspended(invoice: Invoice) -> DunningCase:
    for day in range(1, 16):
        services.dun(now=on(day))
    assert is_held(invoice.tenant)
    return DunningCase.objects.get(invoice=invoice)

"""What a tenant's webhooks hear of money (billing/webhook_types.py): in the transaction of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.models import Invoice, Payment, Subscription
from tenants.services import webhook_tell


def invoices_tell(*, kind: str, invoices: Sequence[Invoice], now: datetime) -> None:
    """Tell of invoices that were issued, or paid, as `kind` says."""
    webhook_tell(
        kind=kind, about=[(invoice.tenant, _invoice(invoice)) for invoice in invoices], now=now
    )


def _invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "currency": invoice.currency,
        "subtotal": invoice.subtotal,
        "tax": invoice.tax,
        "total": invoice.total,
        "period_start": invoice.period_start.isoformat(),
        "period_end": invoice.last_day.isoformat(),
    }


def payment_failed_tell(*, payment: Payment, invoice: Invoice, now: datetime) -> None:
    """Tell that a payment failed; why is the portal's to say, in the reader's language."""
    told = {
        "invoice": invoice.number,
        "attempt": payment.attempt,
        "currency": payment.currency,
        "amount": payment.amount,
    }
    webhook_tell(kind="payment.failed", about=[(invoice.tenant, told)], now=now)


def subscription_tell(*, subscription: Subscription, now: datetime) -> None:
    """Tell which plan, at which price, a tenant is on."""
    told = {
        "plan": subscription.plan.code,
        "currency": subscription.price.currency,
        "starts_on": subscription.starts_on.isoformat() if subscription.starts_on else None,
    }
    webhook_tell(kind="subscription.changed", about=[(subscription.tenant, told)], now=now)

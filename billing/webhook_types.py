"""The events of money that tenants may hear of. Amounts are in minor units of the currency."""

from django.utils.translation import gettext_lazy as _

from tenants.scopes import Scope
from tenants.webhook_types import EventType, register

_INVOICE = {
    "number": "2026-000123",
    "kind": "usage",
    "currency": "USD",
    "subtotal": 2900,
    "tax": 0,
    "total": 2900,
    "period_start": "2026-11-01",
    "period_end": "2026-11-30",
}

register(
    EventType("invoice.issued", Scope.BILLING_READ, _("An invoice was issued."), _INVOICE),
    EventType(
        "invoice.paid", Scope.BILLING_READ, _("Nothing is due of an invoice any more."), _INVOICE
    ),
    EventType(
        "payment.failed",
        Scope.BILLING_READ,
        _("A payment of an invoice failed."),
        {"invoice": "2026-000123", "attempt": 1, "currency": "USD", "amount": 2900},
    ),
    EventType(
        "spending.threshold",
        Scope.BILLING_READ,
        _("A part of the spending cap is used, or a month's requests cost so much (before tax)."),
        {
            "alert": "4f0c9e0b-7c55-4f4a-9a51-2d1d3c1b8e55",
            "percent": 80,
            "amount": None,
            "spent": 4010,
            "cap": 5000,
            "currency": "USD",
            "month": "2026-11",
        },
    ),
    EventType(
        "subscription.changed",
        Scope.BILLING_READ,
        _("Another plan, or another price of it, has begun."),
        {"plan": "pro", "currency": "USD", "starts_on": "2026-11-26"},
    ),
)

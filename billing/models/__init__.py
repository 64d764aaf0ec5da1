"""What it costs. Amounts are integers of a currency's minor unit (cents, yen) beside the currency.

catalog.py        plans, price versions, packs
subscriptions.py  customers at Stripe, who subscribes to what
orders.py         purchases, with their price frozen
invoices.py       invoices, their lines, their numbers
payments.py       attempts to collect, and Stripe's events
"""

from billing.models.catalog import (
    Currency,
    ExtensionPack,
    Overage,
    PackPrice,
    Plan,
    PriceTier,
    PriceVersion,
)
from billing.models.invoices import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    UsageReading,
)
from billing.models.orders import Order, OrderPurpose, OrderState
from billing.models.payments import EventStatus, Payment, PaymentState, StripeEvent
from billing.models.subscriptions import Customer, Subscription, SubscriptionState

__all__ = [
    "Currency",
    "Customer",
    "EventStatus",
    "ExtensionPack",
    "Invoice",
    "InvoiceCounter",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceState",
    "Order",
    "OrderPurpose",
    "OrderState",
    "Overage",
    "PackPrice",
    "Payment",
    "PaymentState",
    "Plan",
    "PriceTier",
    "PriceVersion",
    "StripeEvent",
    "Subscription",
    "SubscriptionState",
    "UsageReading",
]

"""What it costs. Amounts are integers of a currency's minor unit (cents, yen) beside the currency.

balance.py        Stripe's balance transactions
catalog.py        plans, price versions, packs
subscriptions.py  customers at Stripe, who subscribes to what, and changes to come
sign_up_requests.py
                  sign-ups that wait for an operator
cards.py          their saved cards
controls.py       what tenants set: spending caps, automatic top-ups
orders.py         purchases, with their price frozen
invoices.py       invoices, their lines, taxes and numbers
billed_usage.py   what a month's usage was read as, and billed as
payments.py       payments, refunds, and Stripe's events
reconciliation.py what is compared with Stripe every night
disputes.py       payments that their cardholders dispute
set_offs.py       what we came to owe a payer who has it already, or has twice
ledger.py         the books
dunning.py        what is done about invoices that cannot be collected
costs.py          what operators pay for what tenants use
tax.py            rates of tax and exchange, and what tenants and VIES say
"""

from billing.models.balance import BalanceTransaction
from billing.models.billed_usage import BilledUsage, UsageReading
from billing.models.cards import SavedCard
from billing.models.catalog import (
    Currency,
    ExtensionPack,
    Overage,
    PackPrice,
    Plan,
    PriceTier,
    PriceVersion,
    Unused,
)
from billing.models.controls import AutoTopUp, CapChange, SpendingCap
from billing.models.costs import CostUnit, UnitCost
from billing.models.disputes import Dispute, DisputeStatus
from billing.models.dunning import (
    DunningAct,
    DunningCase,
    DunningDone,
    DunningOutcome,
    DunningStep,
)
from billing.models.invoices import (
    Invoice,
    InvoiceCounter,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceTax,
    LineGroup,
)
from billing.models.ledger import Account, Entry, Posting
from billing.models.orders import Order, OrderPurpose, OrderState
from billing.models.payments import (
    EventSource,
    EventStatus,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
    StripeEvent,
)
from billing.models.reconciliation import Reconciliation, StripeCursor, StripeList
from billing.models.set_offs import SetOff, UnowedRefund
from billing.models.sign_up_requests import SignUpRequest, SignUpState
from billing.models.subscriptions import (
    ChangeState,
    Customer,
    PlanChange,
    PriceMove,
    Subscription,
    SubscriptionState,
)
from billing.models.tax import (
    ExchangeRate,
    TaxDetails,
    TaxRate,
    ViesCheck,
    ViesConfirmation,
    ViesOutcome,
)

__all__ = [
    "Account",
    "AutoTopUp",
    "BalanceTransaction",
    "BilledUsage",
    "CapChange",
    "ChangeState",
    "CostUnit",
    "Currency",
    "Customer",
    "Dispute",
    "DisputeStatus",
    "DunningAct",
    "DunningCase",
    "DunningDone",
    "DunningOutcome",
    "DunningStep",
    "Entry",
    "EventSource",
    "EventStatus",
    "ExchangeRate",
    "ExtensionPack",
    "Invoice",
    "InvoiceCounter",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceState",
    "InvoiceTax",
    "LineGroup",
    "Order",
    "OrderPurpose",
    "OrderState",
    "Overage",
    "PackPrice",
    "Payment",
    "PaymentMethod",
    "PaymentState",
    "Plan",
    "PlanChange",
    "Posting",
    "PriceMove",
    "PriceTier",
    "PriceVersion",
    "Reconciliation",
    "Refund",
    "RefundState",
    "SavedCard",
    "SetOff",
    "SignUpRequest",
    "SignUpState",
    "SpendingCap",
    "StripeCursor",
    "StripeEvent",
    "StripeList",
    "Subscription",
    "SubscriptionState",
    "TaxDetails",
    "TaxRate",
    "UnitCost",
    "UnowedRefund",
    "Unused",
    "UsageReading",
    "ViesCheck",
    "ViesConfirmation",
    "ViesOutcome",
]

"""Whatever is issued, paid, credited, paid back, repeated, and wherever we die: the books prove."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import stripe
from django.db.models import Sum
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing import payments
from billing.balances import credit_balance, refundable
from billing.models import (
    Account,
    Customer,
    Entry,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
)
from billing.proof import prove
from billing.services import invoice_collect, invoice_retry, ledger
from billing.services.adopted_refunds import refund_adopt
from billing.services.attempts import payment_check
from billing.services.bank import bank_transfer_record
from billing.services.collect import attempt_end
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.disputes import dispute_settle
from billing.services.loose_attempts import attempts_loose
from billing.services.refunds import (
    credit_note_refund,
    refund_request,
    refund_send,
    refund_settle,
)
from tenants.errors import Refused
from tenants.models import Tenant
from tests.billing.books import NOW, issued, write_off
from tests.billing.conftest import SignUpCall, stripe_client

pytestmark = pytest.mark.django_db(transaction=True)

CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
# Where we die: nowhere, before or after Stripe did it, while the books are written.
DEATHS = (None, "before", "after", "books")
STRIPE_CALLS = ("intent_create", "intent_cancel", "refund_create")


class Died(BaseException):
    """What no `except Exception` catches."""


class Books:
    """One tenant's money, and what can be done with it. Every act is one that services offer."""

    def __init__(self, tenant: Tenant, patch: pytest.MonkeyPatch) -> None:
        self.tenant, self.patch, self.now, self.references = tenant, patch, NOW, 0

    def issue(self, at: int, amount: int) -> None:
        issued(self.tenant, amount, 50, currency=("USD", "JPY")[at % 2], now=self.now)

    def collect(self, at: int, amount: int) -> None:
        Customer.objects.filter(tenant=self.tenant).update(
            payment_method_id=CARDS[amount % len(CARDS)]
        )
        act = (invoice_collect, invoice_retry)[amount % 2]
        act(invoice=self.invoice(at), now=self.now)

    def tell_again(self, at: int, amount: int) -> None:
        """A webhook comes once more, and late."""
        charges = Payment.objects.filter(
            invoice__tenant=self.tenant, method=PaymentMethod.CARD
        ).exclude(payment_intent_id="")
        for payment in charges.order_by("id")[at % 3 :: 3]:
            intent = payments.intent_get(intent_id=payment.payment_intent_id)
            payment_check(payment=payment, intent=intent, now=self.now)

    def confirm(self, at: int, amount: int) -> None:
        """The cardholder confirms a charge, although the invoice may be paid already."""
        waiting = Payment.objects.filter(invoice__tenant=self.tenant, state="needs_action")
        for payment in waiting:
            intent = payments.intent_get(intent_id=payment.payment_intent_id)
            confirmed = payments.IntentState(
                id=intent.id, status="succeeded", amount=intent.amount, currency=intent.currency,
                metadata=intent.metadata, decline_code="", decline_message="",
            )  # fmt: skip
            payment_check(payment=payment, intent=confirmed, now=self.now)

    def transfer(self, at: int, amount: int) -> None:
        self.references += amount % 3 > 0  # or the last one comes again
        bank_transfer_record(
            invoice=self.invoice(at), amount=amount, actor=None, now=self.now,
            reference=f"{self.tenant.pk}-{self.references}", received_on=self.now.date(),
        )  # fmt: skip

    def credit(self, at: int, amount: int) -> None:
        credit_note_issue(
            invoice=self.invoice(at), amount=amount if amount % 4 else None, reason="", actor=None,
            now=self.now,
        )  # fmt: skip

    def pay_back_note(self, at: int, amount: int) -> None:
        notes = Invoice.objects.filter(tenant=self.tenant, kind=InvoiceKind.CREDIT_NOTE)
        for note in notes.order_by("id")[at % 3 :: 3]:
            credit_note_refund(credit_note=note, actor=None, now=self.now)

    def pay_back(self, at: int, amount: int) -> None:
        for payment in self.invoice(at).payments.all():
            most = refundable(payment=payment, invoice=payment.invoice)
            refund_request(
                payment=payment, amount=min(amount, most + amount % 2), reason="", actor=None,
                now=self.now,
            )  # fmt: skip

    def send(self, at: int, amount: int) -> None:
        for refund in self.refunds().order_by("id")[at % 2 :: 2]:
            refund_send(refund=refund, now=self.now)

    def come_back(self, at: int, amount: int) -> None:
        """A bank sends a refund back, weeks later."""
        for refund in self.refunds(state=RefundState.SUCCEEDED)[at % 3 :: 3]:
            found = payments.StripeRefund(
                refund.stripe_id, "failed", refund.amount, {}, "unknown", "", ""
            )
            refund_settle(refund=refund, found=found, now=self.now)

    def pay_back_at_stripe(self, at: int, amount: int) -> None:
        """Somebody does in Stripe's dashboard; what is more than is left, Stripe refuses."""
        for payment in self.charged()[at % 3 :: 3]:
            stripe_client().v1.refunds.create(
                {"payment_intent": payment.payment_intent_id, "amount": amount}
            )
            self.adopt(payment)

    def adopt(self, payment: Payment) -> None:
        for found in payments.refunds_of_intent(payment_intent_id=payment.payment_intent_id):
            if not found.metadata:
                refund_adopt(payment=payment, found=found, now=self.now)

    def dispute(self, at: int, amount: int) -> None:
        """A cardholder does, over a part; it is decided at last: lost, or won in part."""
        status = ("needs_response", "lost", "won")[amount % 3]
        for payment in self.charged()[at % 3 :: 3]:
            over = payment.amount // 4 + 1
            found = payments.StripeDispute(
                id=f"du_{payment.pk}", status=status, reason="general", amount=over,
                currency=payment.currency, payment_intent_id=payment.payment_intent_id,
                opened_at=self.now, evidence_due_by=None, withdrawn=over,
                reinstated=over * 2 // 3 if status == "won" else 0,
            )  # fmt: skip
            dispute_settle(found=found, now=self.now)

    def spend(self, at: int, amount: int) -> None:
        credit_spend(invoice=self.invoice(at), now=self.now)

    def give_up(self, at: int, amount: int) -> None:
        write_off(self.invoice(at), now=self.now)

    def sleep(self, at: int, amount: int) -> None:
        self.now += timedelta(hours=at * 6)

    def invoice(self, at: int) -> Invoice:
        """Return one of the tenant's invoices. Raise Refused where it has none."""
        mine = Invoice.objects.filter(tenant=self.tenant).order_by("id")
        if not mine:
            raise Refused("Nothing was issued yet.")
        return mine[at % len(mine)]

    def charged(self) -> Any:
        cards = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
        return cards.filter(invoice__tenant=self.tenant).order_by("id")

    def refunds(self, **of: object) -> Any:
        return Refund.objects.filter(payment__invoice__tenant=self.tenant, **of).order_by("id")

    def do(self, act: str, at: int, amount: int, death: str | None) -> None:
        """Do it, dying on the way where that is asked for."""
        with self.patch.context() as patched:
            for name in STRIPE_CALLS if death in {"before", "after"} else ():
                patched.setattr(payments, name, self._dying(getattr(payments, name), death))
            if death == "books":
                patched.setattr(ledger, "post", self._dying(ledger.post, "after"))
            try:
                getattr(self, act)(at, amount)
            except (Refused, Died, payments.PaymentError, stripe.StripeError):
                return

    def _dying(self, real: Callable[..., Any], when: str | None) -> Callable[..., Any]:
        def dying(**parameters: Any) -> Any:
            if when == "after":
                real(**parameters)
            raise Died

        return dying

    def rest(self) -> None:
        """Let the sweeps finish what was left."""
        Customer.objects.filter(tenant=self.tenant).update(payment_method_id=CARDS[0])
        for payment in self.charged():
            self.adopt(payment)
        for refund in self.refunds(state=RefundState.PENDING):
            refund_send(refund=refund, now=self.now)
        self.now += timedelta(hours=1)
        for _ in range(2):  # looked at, then cancelled
            for payment in attempts_loose().filter(invoice__tenant=self.tenant):
                attempt_end(payment=payment, now=self.now)
        for invoice in Invoice.objects.filter(tenant=self.tenant, state=InvoiceState.OPEN):
            invoice_collect(invoice=invoice, now=self.now)


ACTS = (
    "issue", "collect", "tell_again", "confirm", "transfer", "credit", "pay_back_note", "pay_back",
    "send", "come_back", "pay_back_at_stripe", "dispute", "spend", "give_up", "sleep",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTS), st.integers(0, 5), st.integers(1, 5_000), st.sampled_from(DEATHS)
    ),
    min_size=3,
    max_size=14,
)


def booked(tenant: Tenant, account: Account) -> dict[str, int]:
    rows = Entry.objects.filter(posting__tenant=tenant, account=account)
    sums = rows.order_by().values_list("posting__currency").annotate(total=Sum("amount"))
    return {currency: total for currency, total in sums if total}


def at_stripe(tenant: Tenant) -> dict[str, int]:
    """Return what Stripe has of a tenant by its own account."""
    customer = Customer.objects.get(tenant=tenant).stripe_id
    charges = stripe_client().v1.charges.list({"customer": customer, "limit": 100})
    sums: dict[str, int] = {}
    for charge in charges.auto_paging_iter():
        if charge.paid:
            code = charge.currency.upper()
            sums[code] = sums.get(code, 0) + charge.amount - charge.amount_refunded
    return {currency: total for currency, total in sums.items() if total}


@example(
    steps=[
        ("issue", 0, 3000, None), ("collect", 0, 3000, "after"), ("collect", 0, 3000, None),
        ("credit", 0, 1001, None), ("pay_back_note", 0, 1, None), ("send", 0, 1, "after"),
        ("sleep", 5, 1, None), ("send", 0, 1, None), ("send", 0, 1, None),
    ]
)  # fmt: skip
@example(
    steps=[
        ("issue", 0, 3000, None), ("transfer", 0, 1000, None), ("give_up", 0, 1, None),
        ("transfer", 0, 501, None), ("transfer", 0, 2000, None), ("credit", 0, 4, None),
    ]
)  # fmt: skip
@example(
    steps=[
        ("issue", 0, 3000, None), ("collect", 0, 3000, None), ("credit", 0, 501, None),
        ("pay_back_note", 0, 1, None), ("pay_back_at_stripe", 0, 2000, "books"),
        ("dispute", 0, 0, None), ("credit", 0, 1001, None), ("send", 0, 1, "after"),
        ("dispute", 0, 2, None), ("send", 0, 1, None), ("come_back", 0, 1, None),
        ("transfer", 0, 901, None), ("credit", 0, 4, None),
    ]
)  # fmt: skip
@given(steps=STEPS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_books_prove_at_every_moment(
    sign_up: SignUpCall,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, int, int, str | None]],
) -> None:
    books = Books(with_customer(sign_up, NOW), monkeypatch)
    faked = False
    for act, at, amount, death in steps:
        books.do(act, at, amount, death)
        faked |= act in {"confirm", "come_back", "dispute"}
        assert prove().is_proved, (act, at, amount, death)
        for currency in ("USD", "JPY"):
            assert credit_balance(tenant=books.tenant, currency=currency) >= 0
    books.rest()
    assert prove().is_proved
    if not faked:  # else Stripe does not know of what was told
        assert booked(books.tenant, Account.STRIPE) == at_stripe(books.tenant)


def with_customer(sign_up: SignUpCall, now: datetime) -> Tenant:
    """Return a new tenant that Stripe knows, with a card."""
    tenant = sign_up("free", now=now).tenant
    stripe_id = payments.customer_create(
        tenant_uuid=str(tenant.uuid), name=tenant.name, email="owner@example.org"
    )
    Customer.objects.filter(tenant=tenant).update(stripe_id=stripe_id, payment_method_id=CARDS[0])
    return tenant

"""Whatever happens at once: it happens once, the books prove, and nobody waits for ever.

Here a transaction waits for another on PostgreSQL. SQLite has one writer at a time; there these say
that each looks again once it is its turn.
"""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.utils import timezone

from billing import payments, services
from billing.balances import credit_balance
from billing.models import (
    AutoTopUp,
    CapChange,
    Dispute,
    DunningDone,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    PlanChange,
    StripeEvent,
    Subscription,
    SubscriptionState,
)
from billing.proof import prove
from billing.services import checkout, invoice_collect
from billing.services.bank import bank_transfer_record
from billing.services.credit import credit_spend
from billing.services.credit_notes import credit_note_issue
from billing.services.disputes import dispute_settle
from billing.services.refunds import refund_request
from portal.local.payments.server import LocalPayments
from tenants.errors import Refused
from tenants.models import Entitlement, QuotaGrant, Tenant
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances, issued, write_off
from tests.billing.conftest import (
    BACK,
    SignUpCall,
    buy,
    deliver,
    events_of,
    pay,
    subscribe,
)
from tests.billing.dunned import FIRST, GOOD, charges, uncollected, use_card
from tests.billing.orders import extension
from tests.billing.races import at_once
from tests.billing.saved_cards import carded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched")]

DAY = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return carded(sign_up)


@pytest.fixture
def credited(tenant: Tenant) -> Payment:
    """A card payment of 30.00, of which 10.00 were credited."""
    invoice = issued(tenant, 30_00)
    invoice_collect(invoice=invoice, now=NOW)
    credit_note_issue(invoice=invoice, amount=10_00, reason="", actor=None, now=NOW)
    return invoice.payments.get()


def transfer(invoice: Invoice, amount: int, reference: str = "T1") -> Payment:
    return bank_transfer_record(
        invoice=invoice, amount=amount, reference=reference, received_on=NOW.date(),
        actor=None, now=NOW,
    )  # fmt: skip


class TestPlans:
    def test_a_change_that_is_due_is_made_once_by_the_beat_the_tenant_and_the_close(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, "pro")
        services.plan_change(
            tenant=tenant, plan_code="starter", shown=0, token="", actor=None, now=DAY
        )
        kept, *_ = at_once(
            lambda: services.plan_keep(tenant=tenant, now=FIRST),
            lambda: services.changes_apply(now=FIRST),
            lambda: services.close_month(now=FIRST),
            lambda: services.close_month(now=FIRST),
        )
        assert kept is False
        services.close_month(now=FIRST)
        active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
        assert active.plan.code == "starter"
        assert PlanChange.objects.get().state == "done"
        fee = Invoice.objects.get(kind=InvoiceKind.FEE)
        assert (fee.subscription, fee.total) == (active, 29_00)

    def test_a_change_at_once_while_the_month_is_closed(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "starter")
        at_once(
            lambda: services.plan_change(
                tenant=tenant, plan_code="free", shown=0, token="", actor=None, now=FIRST,
                at_once=True,
            ),
            lambda: services.close_month(now=FIRST),
            lambda: services.cap_set(tenant=tenant, amount=1_00, actor=None, now=FIRST),
        )  # fmt: skip
        for _ in range(2):
            services.close_month(now=FIRST)
        assert Invoice.objects.get(kind=InvoiceKind.FEE).total == 29_00
        assert Subscription.objects.get(state=SubscriptionState.ACTIVE).plan.code == "free"
        assert prove().is_proved

    def test_a_cap_is_set_while_all_are_reckoned_anew(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "payg")
        at_once(
            lambda: services.cap_set(tenant=tenant, amount=5_00, actor=None, now=DAY),
            lambda: services.cap_set(tenant=tenant, amount=5_00, actor=None, now=DAY),
            lambda: services.caps_sweep(now=DAY),
            lambda: services.close_month(now=DAY),
        )
        change = CapChange.objects.get()
        assert change.requests == 3_502
        assert Entitlement.objects.get(tenant=tenant).cap_requests == 3_502


class TestOrders:
    def test_it_is_delivered_once_whoever_is_told_of_it(self, tenant: Tenant) -> None:
        order = buy(extension(tenant))
        told = events_of(order)
        at_once(*[lambda event=event: deliver(event) for event in [*told, *told]])
        events = list(StripeEvent.objects.order_by("id"))
        assert len(events) == len(told)
        now = timezone.now() + timedelta(minutes=1)
        at_once(
            *[lambda event=event: services.event_process(event=event, now=now) for event in events],
            lambda: services.event_process(event=events[0], now=now),  # an operator replays it
            lambda: services.order_check(order=order, now=now),
            lambda: checkout.orders_sweep(clock=lambda: now),
        )
        assert {event.status for event in StripeEvent.objects.all()} <= {"processed", "ignored"}
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.get().payments.get().state == PaymentState.SUCCEEDED
        assert prove().is_proved

    def test_a_pack_is_paid_while_its_plan_ends(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up)
        order = buy(extension(tenant, now=DAY), now=DAY)
        state = payments.checkout_get(session_id=order.checkout_session_id)
        at_once(
            lambda: services.order_check(order=order, now=DAY),
            lambda: services.plan_change(
                tenant=tenant, plan_code="payg", shown=0, token="", actor=None, now=DAY,
                at_once=True,
            ),
        )  # fmt: skip
        order.refresh_from_db()
        is_granted = QuotaGrant.objects.exists()
        assert order.state == (OrderState.FULFILLED if is_granted else OrderState.REFUND_DUE)
        assert state.is_paid
        assert prove().is_proved


class TestCredit:
    def test_it_is_not_paid_back_and_spent_as_well(self, tenant: Tenant, credited: Payment) -> None:
        others = [issued(tenant, 8_00) for _ in range(2)]

        def pay_back() -> object:
            return refund_request(payment=credited, amount=8_00, reason="", actor=None, now=NOW)

        at_once(
            pay_back,
            pay_back,
            *[lambda other=other: credit_spend(invoice=other, now=NOW) for other in others],
        )
        on = balances()
        assert "credit" not in on
        spent = Payment.objects.filter(method=PaymentMethod.CREDIT)
        assert sum(each.amount for each in spent) - on.get("held", 0) == 10_00
        assert prove().is_proved

    def test_a_dispute_is_lost_while_it_is_spent(
        self, tenant: Tenant, credited: Payment, local_payments: LocalPayments
    ) -> None:
        bank = Bank(local_payments)
        dispute_id = bank.dispute(credited)
        bank.decide(dispute_id, "lost")
        lost = payments.dispute_get(dispute_id=dispute_id)
        other = issued(tenant, 8_00)
        _, _, spent = at_once(
            lambda: dispute_settle(found=lost, now=NOW),
            lambda: dispute_settle(found=lost, now=NOW),
            lambda: credit_spend(invoice=other, now=NOW),
        )
        assert Dispute.objects.get().owed_back == (2_00 if spent else 10_00)
        assert balances().get("losses", 0) == (28_00 if spent else 20_00)
        assert credit_balance(tenant=tenant, currency="USD") == 0
        assert prove().is_proved


class TestInvoices:
    def test_it_is_paid_credited_and_written_off(self, tenant: Tenant) -> None:
        invoice = issued(tenant, 30_00)
        at_once(
            lambda: transfer(invoice, 30_00),
            lambda: credit_note_issue(
                invoice=invoice, amount=10_00, reason="", actor=None, now=NOW
            ),
            lambda: write_off(invoice),
            lambda: invoice_collect(invoice=invoice, now=NOW),
        )
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.PAID
        assert invoice.amount_credited == 10_00
        assert invoice.amount_paid == sum(each.amount for each in invoice.payments.all())
        on = balances()
        assert on["credit"] == invoice.amount_due
        assert "losses" not in on
        assert prove().is_proved

    def test_a_transfer_is_recorded_on_two_tenants_invoices(self, sign_up: SignUpCall) -> None:
        first, second = (issued(sign_up("free").tenant, 30_00) for _each in range(2))
        outcomes = at_once(lambda: transfer(first, 30_00), lambda: transfer(second, 30_00))
        (payment,) = Payment.objects.all()
        (refusal,) = [each for each in outcomes if each != payment]
        assert isinstance(refusal, Refused)
        said = f"The transfer T1 is recorded already, for invoice {payment.invoice.number}."
        assert str(refusal) == said
        assert prove().is_proved

    def test_dunning_tries_the_card_while_its_holder_pays(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=FIRST)
        use_card(invoice.tenant, GOOD)
        tomorrow = FIRST + timedelta(days=1)
        *_, url = at_once(
            lambda: services.dun(now=tomorrow),
            lambda: services.dun(now=tomorrow),
            lambda: services.invoice_checkout(
                invoice=invoice, success_url=BACK, cancel_url=BACK, now=tomorrow
            ),
        )
        # Dunning may have expired the page, once its holder had it.
        if isinstance(url, str) and url and httpx.get(url, trust_env=False).is_success:
            pay(url)
        later = tomorrow + timedelta(hours=1)
        services.dun(now=later)
        services.collect(now=later)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
        assert charges(invoice.tenant) == [29_00]
        assert DunningDone.objects.get().outcome == "paid"


def test_top_ups_are_turned_off_and_on_while_one_is_bought(tenant: Tenant) -> None:
    def turn_on() -> AutoTopUp:
        return services.auto_top_up_set(
            tenant=tenant, pack_code="extra-100", percent=99, most_per_period=1, actor=None, now=NOW
        )

    turn_on()
    at_once(
        lambda: services.auto_top_up_stop(tenant=tenant, actor=None, now=NOW),
        turn_on,
        lambda: services.top_ups_run(clock=lambda: NOW),
        lambda: services.top_ups_run(clock=lambda: NOW),
    )
    assert Order.objects.filter(is_top_up=True).count() <= 1
    assert prove().is_proved

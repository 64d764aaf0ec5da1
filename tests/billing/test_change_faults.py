"""A change of plan that is killed, doubled or late: one charge, or the money back."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import payments, services
from billing.balances import credit_balances
from billing.models import Account, Entry, Invoice, InvoiceKind, Order, OrderState, Plan
from billing.proof import prove
from billing.services import checkout
from billing.services.credit_notes import credit_note_issue
from billing.services.fulfilment import order_settle
from tenants.errors import Refused
from tenants.models import Tenant
from tests.billing.books import write_off
from tests.billing.changed import (
    DAY,
    FIRST,
    NEXT_DAY,
    WEEK_LATE,
    bill,
    ordered,
    paid,
    plan_of,
)
from tests.billing.conftest import SignUpCall, buy, deliver, events_of, start, subscribe
from tests.billing.races import at_once
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


class TestPayment:
    """Killed, doubled, late: one charge, one change, one invoice, or the money back."""

    def test_a_closed_tab_loses_nothing(self, starter: Tenant) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)
        assert plan_of(starter) == "starter"  # died before anybody noted the payment
        checkout.orders_sweep(clock=lambda: DAY + timedelta(minutes=2))
        order.refresh_from_db()
        assert (order.state, plan_of(starter)) == (OrderState.FULFILLED, "pro")

    def test_killed_within_the_change_nothing_of_it_stays(
        self, starter: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)

        def dying(**_parameters: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("billing.services.fulfilment.order_invoice_issue", dying)
            with pytest.raises(KeyboardInterrupt):
                services.order_check(order=order, now=DAY)
        assert plan_of(starter) == "starter"
        services.order_check(order=order, now=DAY)
        assert plan_of(starter) == "pro"
        assert Invoice.objects.filter(order=order).count() == 1

    def test_the_webhook_counts_once(self, starter: Tenant, run_tasks: RunTasks) -> None:
        order = ordered(starter, "pro", now=datetime.now(UTC))
        buy(order, now=datetime.now(UTC))
        for _ in range(2):
            for event in events_of(order):
                deliver(event)
            run_tasks("default")
        assert plan_of(starter) == "pro"
        assert Invoice.objects.filter(order=order).count() == 1

    def test_two_at_once_change_once(self, starter: Tenant) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)
        state = payments.checkout_get(session_id=order.checkout_session_id)
        at_once(*[lambda: order_settle(order=order, checkout=state, now=DAY)] * 2)
        assert plan_of(starter) == "pro"
        assert Invoice.objects.filter(order=order).count() == 1

    def test_paid_once_another_plan_has_begun_it_is_paid_back(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        tenant = subscribe(sign_up, "free")
        late = buy(ordered(tenant, "starter"), now=DAY)
        paid(tenant, "pro")
        services.order_check(order=late, now=DAY)
        run_tasks("default")
        late.refresh_from_db()
        assert (late.state, plan_of(tenant)) == (OrderState.REFUNDED, "pro")
        assert not Invoice.objects.filter(order=late).exists()
        held = Entry.objects.filter(posting__tenant=tenant, account=Account.CREDIT)
        assert sum(entry.amount for entry in held) == 0

    def test_paid_in_the_next_month_it_is_paid_back_and_offered_anew(
        self, starter: Tenant, run_tasks: RunTasks
    ) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)
        services.order_check(order=order, now=WEEK_LATE)
        run_tasks("default")
        order.refresh_from_db()
        assert (order.state, plan_of(starter)) == (OrderState.REFUNDED, "starter")
        again = Order.objects.exclude(pk=order.pk).get(purpose="change")
        assert again.amount == 15_406 - 2_245  # 24 of 31 days

    def test_a_price_that_takes_back_what_was_credited_since_is_paid_back_and_offered_anew(
        self, starter: Tenant, run_tasks: RunTasks
    ) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)
        assert order.amount == 3317 - 483
        invoice = Invoice.objects.get()  # 677, of 7 days; 483 of them are left
        credit_note_issue(invoice=invoice, amount=338, reason="An outage", actor=None, now=DAY)
        assert services.order_check(order=order, now=NEXT_DAY).state == OrderState.REFUND_DUE
        run_tasks("default")
        order.refresh_from_db()
        assert (order.state, plan_of(starter)) == (OrderState.REFUNDED, "starter")
        assert credit_balances(tenant=starter) == {"USD": 338}
        again = Order.objects.exclude(pk=order.pk).get(purpose="change")
        assert again.amount == 2653 - 194  # 4 of 30 days: 387 * 339 / 677 = 193.8
        assert prove().is_proved

    @pytest.mark.parametrize("credits", [True, False])
    def test_its_open_page_is_closed(
        self, starter: Tenant, run_tasks: RunTasks, credits: bool
    ) -> None:
        order = ordered(starter, "pro", now=FIRST)
        start(order, now=FIRST)
        bill(FIRST)
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.PENDING
        invoice = Invoice.objects.get(kind=InvoiceKind.FEE)
        if credits:
            credit_note_issue(invoice=invoice, amount=1, reason="", actor=None, now=FIRST)
        else:
            write_off(invoice, now=FIRST)
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.EXPIRED

    def test_an_offer_of_a_plan_that_was_left_does_not_come_to_checkout(
        self, starter: Tenant
    ) -> None:
        order = ordered(starter, "pro")
        services.plan_keep(tenant=starter, now=DAY)
        with pytest.raises(Refused, match="changed since"):
            start(order, now=DAY)

    def test_an_offer_at_an_old_price_or_of_a_withdrawn_plan_has_to_be_chosen_again(
        self, starter: Tenant
    ) -> None:
        order, pro = ordered(starter, "pro"), Plan.objects.get(code="pro")
        start(order, now=DAY)
        services.price_set(plan=pro, currency="USD", monthly_fee=249_00, steps={}, now=DAY)
        with pytest.raises(Refused, match="choose again"):
            start(order, now=DAY)
        again = ordered(starter, "pro")
        assert again.amount == 4150 - 483  # 24,900 * 5 / 30
        Plan.objects.filter(pk=pro.pk).update(is_public=False)
        with pytest.raises(Refused, match="choose again"):
            start(again, now=DAY)

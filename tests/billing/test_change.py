"""Changes of plan: what is charged at once, and what waits for the month's end."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from billing import payments, services
from billing.models import (
    Account,
    ChangeState,
    Customer,
    Entry,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Order,
    OrderState,
    Plan,
    PlanChange,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.proof import prove
from billing.services import checkout
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.services.fulfilment import order_settle
from tenants.errors import Refused
from tenants.models import Entitlement, Meter, PlanSpan, Tenant, UsageDay
from tenants.selectors import quota_under
from tests.billing.books import write_off
from tests.billing.conftest import SignUpCall, buy, deliver, events_of, pay, start, subscribe
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)

DAY = datetime(2026, 11, 26, 12, tzinfo=UTC)  # 5 of 30 days are left, today included
NEXT_DAY = DAY + timedelta(days=1)
FIRST = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 12, tzinfo=UTC)
WEEK_LATE = datetime(2026, 12, 8, 12, tzinfo=UTC)


@pytest.fixture
def starter(sign_up: SignUpCall) -> Tenant:
    """A tenant on `starter` since the 24th of November."""
    return subscribe(sign_up)


def change(
    tenant: Tenant, plan: str, *, now: datetime = DAY, token: str = "", shown: int | None = None
) -> Order | None:
    """Press the button of a page that shows what is to pay."""
    if shown is None:
        shown = services.plan_offer(tenant=tenant, plan_code=plan, now=now).amount
    return services.plan_change(
        tenant=tenant, plan_code=plan, shown=shown, token=token, actor=None, now=now
    )


def ordered(tenant: Tenant, plan: str, *, now: datetime = DAY) -> Order:
    order = change(tenant, plan, now=now)
    assert order is not None
    return order


def paid(tenant: Tenant, plan: str, *, now: datetime = DAY) -> Order:
    order = buy(ordered(tenant, plan, now=now), now=now)
    return services.order_check(order=order, now=now)


def plan_of(tenant: Tenant) -> str:
    """Return the plan's code, which the subscription and the limits must agree on."""
    tenant.refresh_from_db()
    active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
    assert active.plan.usage_plan_id == tenant.usage_plan_id
    return active.plan.code


def fees(tenant: Tenant) -> list[tuple[str, int]]:
    """Return what was billed by the month, in order."""
    billed = Invoice.objects.filter(tenant=tenant, kind=InvoiceKind.FEE).order_by("id")
    return [(line.description, line.amount) for invoice in billed for line in invoice.lines.all()]


def bill(now: datetime) -> None:
    assert services.close_month(now=now).failed == {}


class TestTooSmall:
    """What is to pay at once is below Stripe's smallest charge."""

    @pytest.fixture
    def plus(self, starter: Tenant) -> Plan:
        """A plan whose last day of November is 33 cents dearer than Starter's."""
        PriceVersion.objects.filter(plan__code="pro").update(monthly_fee=39_00)
        return Plan.objects.get(code="pro")

    @pytest.mark.parametrize("has_card", [True, False])
    def test_the_plan_begins_with_an_open_invoice(
        self, starter: Tenant, plus: Plan, has_card: bool
    ) -> None:
        last = datetime(2026, 11, 30, 12, tzinfo=UTC)
        if not has_card:
            Customer.objects.update(payment_method_id="")
        order = ordered(starter, "pro", now=last)
        assert order.amount == 33
        url = start(order, now=last)
        assert bool(url) != has_card
        if url:
            pay(url)
        order.refresh_from_db()
        services.order_check(order=order, now=last)
        order.refresh_from_db()
        assert plan_of(starter) == "pro"
        assert (order.state, order.invoice.state) == (OrderState.FULFILLED, InvoiceState.OPEN)
        assert (order.invoice.amount_due, order.invoice.payments.count()) == (33, 0)
        assert Customer.objects.get().payment_method_id
        assert services.collect(now=last).failed == {}
        assert prove().is_proved

    def test_a_card_saved_too_late_moves_no_money(
        self, starter: Tenant, plus: Plan, run_tasks: RunTasks
    ) -> None:
        last = datetime(2026, 11, 30, 12, tzinfo=UTC)
        Customer.objects.update(payment_method_id="")
        order = ordered(starter, "pro", now=last)
        order = buy(order, now=last)
        services.order_check(order=order, now=FIRST)
        run_tasks("default")
        order.refresh_from_db()
        assert (order.state, plan_of(starter)) == (OrderState.REFUNDED, "starter")
        assert prove().is_proved


class TestDowngradeNow:
    def now(self, tenant: Tenant, plan: str, *, now: datetime = DAY) -> Order | None:
        shown = services.plan_offer(tenant=tenant, plan_code=plan, now=now, at_once=True).amount
        return services.plan_change(
            tenant=tenant, plan_code=plan, shown=shown, token="", actor=None, now=now, at_once=True
        )

    def test_no_money_goes_back_and_what_was_paid_counts_to_the_months_end(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, "pro")
        assert self.now(tenant, "starter") is None
        assert plan_of(tenant) == "starter"
        # Pro is paid to the end: to return to it is not charged once more.
        back = services.plan_offer(tenant=tenant, plan_code="pro", now=DAY)
        assert [line.amount for line in back.lines] == [3317, -3317]
        assert change(tenant, "pro") is None
        assert self.now(tenant, "starter", now=NEXT_DAY) is None
        for now in (NEXT_DAY, FIRST, WEEK_LATE):
            bill(now)
        assert Invoice.objects.filter(kind=InvoiceKind.ORDER).count() == 1
        assert fees(tenant) == [("Starter, 2026-12", 29_00)]
        assert prove().is_proved

    @pytest.fixture
    def card_only(self, sign_up: SignUpCall) -> Order:
        """The order to return to a plan that is paid to the month's end: it only saves a card."""
        tenant = subscribe(sign_up, "pro")
        self.now(tenant, "free")
        Customer.objects.update(payment_method_id="")
        order = ordered(tenant, "pro")
        assert order.amount == 0
        return order

    def test_in_the_next_month_the_way_to_checkout_asks_for_its_fee(self, card_only: Order) -> None:
        start(card_only, now=DAY)
        start(card_only, now=SECOND)
        card_only.refresh_from_db()
        assert card_only.amount == 192_58  # 19,900 * 30 / 31

    def test_a_card_saved_in_the_next_month_begins_no_plan_that_is_to_be_paid(
        self, card_only: Order, run_tasks: RunTasks
    ) -> None:
        order = services.order_check(order=buy(card_only, now=DAY), now=SECOND)
        run_tasks("default")
        order.refresh_from_db()
        assert (order.state, plan_of(order.tenant)) == (OrderState.REFUNDED, "free")
        assert Order.objects.latest("id").amount == 192_58
        assert prove().is_proved

    def test_the_quota_is_that_of_the_days_held_and_never_a_fresh_one(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, "pro")
        pack = services.extension_order(
            tenant=tenant, pack_code="extra-100", token="p", actor=None, now=DAY
        )
        services.order_check(order=buy(pack, now=DAY), now=DAY)
        starter = Plan.objects.get(code="starter").usage_plan
        shown = quota_under(tenant=tenant, usage_plan=starter, now=DAY)
        self.now(tenant, "starter")
        entitlement = Entitlement.objects.get(tenant=tenant)
        # 200,000 * 2 / 30 + 10,000 * 5 / 30, and the pack.
        assert (entitlement.plan_requests, entitlement.granted_requests) == (15_000, 100)
        assert shown.limit == entitlement.requests
        for plan in ("pro", "starter", "free"):
            self.now(tenant, plan)
        entitlement.refresh_from_db()
        assert entitlement.requests == 13_333 + 100

    def test_a_setup_fee_comes_once_and_pays_no_days(self, sign_up: SignUpCall) -> None:
        PriceVersion.objects.filter(plan__code="starter").update(setup_fee=10_00)
        PriceVersion.objects.filter(plan__code="pro").update(setup_fee=20_00)
        PriceVersion.objects.filter(plan__code="payg").update(setup_fee=3_00)
        tenant = subscribe(sign_up, "pro")
        to_starter = self.now(tenant, "starter")
        assert to_starter is not None
        services.order_check(order=buy(to_starter, now=DAY), now=DAY)
        # Pro is paid to the month's end still, with its setup: 19,900 * 5 / 30 = 3,316.67.
        assert change(tenant, "pro") is None
        to_payg = self.now(tenant, "payg")
        assert to_payg is not None
        services.order_check(order=buy(to_payg, now=DAY), now=DAY)
        assert change(tenant, "pro", now=NEXT_DAY) is None
        assert self.now(tenant, "starter", now=NEXT_DAY) is None
        for now in (NEXT_DAY, FIRST, WEEK_LATE):
            bill(now)
        bought = Invoice.objects.filter(kind=InvoiceKind.ORDER).order_by("id")
        assert [[line.amount for line in each.lines.all()] for each in bought] == [
            [4643, 20_00],  # 7 of 30 days
            [483, -483, 10_00],
            [3_00],
        ]
        assert fees(tenant) == [("Starter, 2026-12", 29_00)]
        assert prove().is_proved

    def test_a_setup_fee_that_a_trial_left_unpaid_comes_with_the_plans_return(
        self, sign_up: SignUpCall
    ) -> None:
        PriceVersion.objects.filter(plan__code="pro").update(setup_fee=20_00, trial_days=30)
        tenant = subscribe(sign_up, "pro")
        assert self.now(tenant, "free") is None
        order = paid(tenant, "pro")
        assert [line.amount for line in order.invoice.lines.all()] == [3317, 20_00]
        for now in (FIRST, WEEK_LATE):
            bill(now)
        assert fees(tenant) == [("Pro, 2026-12", 199_00)]

    def test_on_trial_the_new_fee_is_paid_at_once(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "payg")
        PriceVersion.objects.filter(plan__code="pro").update(trial_days=30)
        Subscription.objects.update(plan=Plan.objects.get(code="free"))  # it was no customer yet
        assert change(tenant, "pro") is None
        order = self.now(tenant, "starter")
        assert order is not None
        assert order.amount == 483
        services.order_check(order=buy(order, now=DAY), now=DAY)
        assert plan_of(tenant) == "starter"
        bill(WEEK_LATE)
        assert fees(tenant) == [("Starter, 2026-12", 29_00)]


class TestUpgrade:
    def test_the_difference_for_the_days_left_is_charged_at_once(self, starter: Tenant) -> None:
        order = paid(starter, "pro")
        invoice = order.invoice
        assert [(line.description, line.amount, line.group) for line in invoice.lines.all()] == [
            ("Pro, 5 of 30 days", 3317, "proration"),  # 19,900 * 5 / 30 = 3,316.67
            ("Starter, 5 of 30 days, taken back", -483, "proration"),  # 2,900 * 5 / 30 = 483.33
        ]
        assert (invoice.total, invoice.state, invoice.amount_paid) == (2834, "paid", 2834)
        assert plan_of(starter) == "pro"
        old, new = Subscription.objects.filter(starts_on__isnull=False).order_by("id")[1:]
        assert (old.state, old.ends_on, new.starts_on) == ("cancelled", DAY.date(), DAY.date())

    def test_yen_have_no_decimals(self, sign_up: SignUpCall) -> None:
        order = paid(subscribe(sign_up, currency="JPY"), "pro")
        assert [line.amount for line in order.invoice.lines.all()] == [5000, -750]
        assert order.invoice.total == 4250

    def test_the_next_month_is_billed_once_at_the_new_fee(self, starter: Tenant) -> None:
        paid(starter, "pro")
        for now in (DAY, FIRST, WEEK_LATE):
            bill(now)
        assert fees(starter) == [("Pro, 2026-12", 199_00)]

    def test_on_the_first_before_the_run_both_fees_are_billed_and_one_is_taken_back(
        self, starter: Tenant
    ) -> None:
        order = paid(starter, "pro", now=FIRST)
        assert order.amount == 199_00 - 29_00
        bill(WEEK_LATE)
        assert fees(starter) == [("Starter, 2026-12", 29_00)]

    def test_what_was_credited_is_not_taken_back(self, starter: Tenant) -> None:
        start(ordered(starter, "pro"), now=DAY)  # its page is open, over another amount
        invoice = Invoice.objects.get()  # 677, of 7 days; 483 of them are left
        shown = {}
        for credited in (338, None):
            credit_note_issue(
                invoice=invoice, amount=credited, reason="An outage", actor=None, now=DAY
            )
            shown[credited] = services.plan_offer(tenant=starter, plan_code="pro", now=DAY).amount
        assert shown == {338: 3317 - 242, None: 3317}  # 483 * 339 / 677 = 241.9
        assert paid(starter, "pro").invoice.total == 3317

    def test_what_was_written_off_is_not_taken_back_and_what_is_owed_is(
        self, starter: Tenant
    ) -> None:
        bill(FIRST)
        invoice = Invoice.objects.get(kind=InvoiceKind.FEE)

        def to_pay() -> int:
            return services.plan_offer(tenant=starter, plan_code="pro", now=FIRST).amount

        assert to_pay() == 199_00 - 29_00
        bank_transfer_record(
            invoice=invoice, amount=9_00, reference="T1", received_on=FIRST.date(), actor=None,
            now=FIRST,
        )  # fmt: skip
        write_off(invoice, now=FIRST)
        assert to_pay() == 199_00 - 9_00

    def test_used_quota_and_packs_come_along(self, starter: Tenant) -> None:
        pack = services.extension_order(
            tenant=starter, pack_code="extra-100", token="p", actor=None, now=DAY
        )
        services.order_check(order=buy(pack, now=DAY), now=DAY)
        paid(starter, "pro")
        entitlement = Entitlement.objects.get(tenant=starter)
        # 10,000 * 2 / 30 + 200,000 * 5 / 30, and the pack; what is used counts against it.
        assert (entitlement.plan_requests, entitlement.granted_requests) == (34_000, 100)

    def test_twice_on_a_day_each_takes_back_the_one_before(self, starter: Tenant) -> None:
        paid(starter, "pro")
        change(starter, "starter")
        services.plan_keep(tenant=starter, now=DAY)
        assert plan_of(starter) == "pro"
        from_pro = services.plan_offer(tenant=starter, plan_code="payg", now=DAY)
        assert (from_pro.is_now, from_pro.amount) == (False, 0)

    def test_another_day_is_another_price(self, starter: Tenant) -> None:
        order = ordered(starter, "pro")
        start(order, now=DAY)
        start(order, now=NEXT_DAY)
        order.refresh_from_db()
        assert order.amount == 2653 - 387  # 4 of 30 days
        assert sum(line["amount"] for line in order.lines) == order.amount

    def test_paid_over_midnight_it_begins_on_the_day_that_was_paid(self, starter: Tenant) -> None:
        order = buy(ordered(starter, "pro"), now=DAY)
        services.order_check(order=order, now=NEXT_DAY)
        assert Entitlement.objects.get(tenant=starter).plan_requests == 34_000
        assert PlanSpan.objects.get(tenant=starter, ends_on=None).starts_on == DAY.date()

    def test_another_amount_than_the_one_shown_is_refused(self, starter: Tenant) -> None:
        with pytest.raises(Refused, match="amount has changed"):
            change(starter, "pro", shown=2835)
        assert Order.objects.filter(purpose="change").count() == 0

    def test_a_form_sent_twice_is_one_order(self, starter: Tenant) -> None:
        assert change(starter, "pro", token="f") == change(starter, "pro", token="f")
        assert change(starter, "pro", token="g") == change(starter, "pro", token="f")

    @pytest.mark.parametrize("plan", ["starter", "gold", ""])
    def test_what_cannot_be_had_is_refused(self, starter: Tenant, plan: str) -> None:
        with pytest.raises(Refused):
            change(starter, plan, shown=0)


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
        at_once(lambda: order_settle(order=order, checkout=state, now=DAY))
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


class TestPayAsYouGo:
    def test_without_a_card_one_is_saved_first(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "free")
        order = ordered(tenant, "payg")
        assert order.amount == 0
        assert plan_of(tenant) == "free"
        services.order_check(order=buy(order, now=DAY), now=DAY)
        assert plan_of(tenant) == "payg"
        assert not Invoice.objects.exists()

    def test_with_a_card_it_begins_at_once(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "free")
        Customer.objects.update(payment_method_id="pm_1")
        assert change(tenant, "payg") is None
        assert plan_of(tenant) == "payg"

    def test_a_cheaper_plan_that_will_need_a_card_asks_for_it(self, starter: Tenant) -> None:
        Customer.objects.update(payment_method_id="")
        with pytest.raises(Refused, match="Save a card first"):
            change(starter, "payg")

    def test_what_was_paid_by_use_is_not_taken_from_the_next_plan(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, "payg")
        used(tenant, date(2026, 11, 25), 70_000)
        used(tenant, DAY.date(), 5_000)
        paid(tenant, "starter")
        assert Entitlement.objects.get(tenant=tenant).requests == 75_000 + 1_667  # 5 of 30 days

    def test_left_for_free_it_gives_nothing_more(self, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, "payg")
        used(tenant, date(2026, 11, 25), 70_000)
        change(tenant, "free")
        bill(FIRST)
        assert plan_of(tenant) == "free"
        assert Entitlement.objects.get(period_start=FIRST.date()).requests == 100


def used(tenant: Tenant, day: date, requests: int) -> None:
    tenant.refresh_from_db()
    UsageDay.objects.create(
        tenant=tenant,
        version=tenant.api_keys.get().versions.get(),
        gateway_plan=tenant.usage_plan.mirrors.get(slot="primary"),
        meter=Meter.REQUESTS,
        day=day,
        used=requests,
        read_at=DAY,
    )


def at_once(act: object) -> None:
    """Do something in two threads that begin together."""
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        assert callable(act)
        act()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestAtTheMonthsEnd:
    @pytest.fixture
    def pro(self, starter: Tenant) -> Tenant:
        paid(starter, "pro")
        return starter

    def test_a_downgrade_waits_and_costs_nothing_now(self, pro: Tenant) -> None:
        assert change(pro, "starter") is None
        assert plan_of(pro) == "pro"
        assert PlanChange.objects.get().takes_effect_on == date(2026, 12, 1)
        bill(FIRST)
        assert plan_of(pro) == "starter"
        assert fees(pro) == [("Starter, 2026-12", 29_00)]
        assert Entitlement.objects.get(period_start=FIRST.date()).plan_requests == 10_000

    def test_a_week_late_it_counts_from_its_day(self, pro: Tenant) -> None:
        change(pro, "starter")
        bill(WEEK_LATE)
        assert fees(pro) == [("Starter, 2026-12", 29_00)]
        active = Subscription.objects.get(tenant=pro, state=SubscriptionState.ACTIVE)
        assert active.starts_on == date(2026, 12, 1)
        assert PlanSpan.objects.get(tenant=pro, ends_on=None).starts_on == date(2026, 12, 1)
        assert Entitlement.objects.get(period_start=FIRST.date()).plan_requests == 10_000

    def test_to_cancel_is_to_change_to_free(self, pro: Tenant) -> None:
        change(pro, "free")
        for now in (FIRST, WEEK_LATE):
            bill(now)
        assert plan_of(pro) == "free"
        assert fees(pro) == []

    def test_a_plan_is_kept_until_then(self, pro: Tenant) -> None:
        change(pro, "free")
        assert services.plan_keep(tenant=pro, now=NEXT_DAY)
        assert not services.plan_keep(tenant=pro, now=NEXT_DAY)
        bill(FIRST)
        assert plan_of(pro) == "pro"
        assert PlanChange.objects.get().state == ChangeState.WITHDRAWN

    def test_too_late_it_is_not_kept(self, pro: Tenant) -> None:
        change(pro, "free")
        assert not services.plan_keep(tenant=pro, now=FIRST)
        assert plan_of(pro) == "free"

    def test_another_choice_takes_its_place(self, pro: Tenant) -> None:
        change(pro, "free")
        change(pro, "starter")
        services.changes_apply(now=FIRST)
        assert plan_of(pro) == "starter"
        states = PlanChange.objects.order_by("id").values_list("state", flat=True)
        assert list(states) == [ChangeState.WITHDRAWN, ChangeState.DONE]

    def test_an_upgrade_takes_its_place(self, starter: Tenant) -> None:
        change(starter, "free")
        paid(starter, "pro")
        bill(FIRST)
        assert plan_of(starter) == "pro"

    def test_what_is_due_comes_before_an_offer_that_rests_on_it(self, pro: Tenant) -> None:
        change(pro, "starter")
        order = ordered(pro, "pro", now=WEEK_LATE)
        assert order.amount == 15_406 - 2_245  # 24 of 31 days, from starter
        assert plan_of(pro) == "starter"

    def test_a_dry_run_changes_nothing(self, pro: Tenant) -> None:
        change(pro, "starter")
        assert services.changes_apply(now=DAY, dry_run=True).made == []
        assert len(services.changes_apply(now=FIRST, dry_run=True).made) == 1
        assert plan_of(pro) == "pro"

    def test_two_runs_at_once_change_once(self, pro: Tenant) -> None:
        change(pro, "starter")
        at_once(lambda: services.changes_apply(now=FIRST))
        assert plan_of(pro) == "starter"
        assert Subscription.objects.filter(tenant=pro, starts_on=FIRST.date()).count() == 1

    def test_one_failure_stops_no_other_and_is_not_billed_by_the_old_plan(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, fine = subscribe(sign_up), subscribe(sign_up)
        change(broken, "free")
        change(fine, "free")
        real = services.changes.tenant_at_its_plan

        def fragile(*, tenant: Tenant, now: datetime) -> Tenant:
            if tenant == broken:
                raise ValueError("disk")
            return real(tenant=tenant, now=now)

        with monkeypatch.context() as patched:
            patched.setattr("billing.services.changes.tenant_at_its_plan", fragile)
            run = services.close_month(now=FIRST)
        assert list(run.failed.values()) == ["disk"]
        assert (plan_of(fine), plan_of(broken), fees(broken)) == ("free", "starter", [])
        bill(FIRST)
        assert plan_of(broken) == "free"

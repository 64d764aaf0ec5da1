"""Changes to a cheaper plan: they wait for the month's end, or come now and no money goes back."""

from datetime import date, datetime

import pytest

from billing import services
from billing.models import (
    ChangeState,
    Customer,
    Invoice,
    InvoiceKind,
    Order,
    OrderState,
    Plan,
    PlanChange,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.proof import prove
from tenants.models import Entitlement, PlanSpan, Tenant
from tenants.selectors import quota_under
from tests.billing.changed import (
    DAY,
    FIRST,
    NEXT_DAY,
    SECOND,
    WEEK_LATE,
    bill,
    change,
    fees,
    ordered,
    paid,
    plan_of,
)
from tests.billing.conftest import SignUpCall, buy, start, subscribe
from tests.billing.races import at_once
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


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
        at_once(*[lambda: services.changes_apply(now=FIRST)] * 2)
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

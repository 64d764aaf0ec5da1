"""Trials and setup fees: nothing before the end, once per tenant, then the first month's share."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing import services
from billing.models import (
    Invoice,
    InvoiceKind,
    Order,
    Plan,
    Subscription,
    SubscriptionState,
)
from billing.services import trials
from tenants.models import Entitlement, Mail, Tenant
from tenants.services import tenant_leave
from tenants.services.mails import message
from tests.billing.changed import bill, change, fees, paid, plan_of
from tests.billing.conftest import SignUpCall, subscribe

pytestmark = pytest.mark.django_db(transaction=True)

BEGUN = datetime(2026, 11, 24, tzinfo=UTC)
ENDS = datetime(2026, 12, 8, 6, tzinfo=UTC)  # after 14 days; 24 of 31 are left
JANUARY = datetime(2027, 1, 1, 6, tzinfo=UTC)


def price(plan: str, *, fee: int = 29_00, setup: int = 0, days: int = 0) -> None:
    services.price_set(
        plan=Plan.objects.get(code=plan), currency="USD", monthly_fee=fee, steps={},
        setup_fee=setup, trial_days=days, now=BEGUN,
    )  # fmt: skip


@pytest.fixture
def trial(sign_up: SignUpCall) -> Tenant:
    """A tenant that has begun a trial of `starter` with a setup fee, with a card saved."""
    price("starter", setup=10_00, days=14)
    return subscribe(sign_up)


def order_invoices() -> list[int]:
    return [i.total for i in Invoice.objects.filter(kind=InvoiceKind.ORDER).order_by("id")]


class TestTrial:
    def test_it_begins_at_once_and_costs_nothing(self, trial: Tenant) -> None:
        assert plan_of(trial) == "starter"
        assert Order.objects.get().description == "Starter, 14 days of trial"
        active = Subscription.objects.get(state=SubscriptionState.ACTIVE)
        assert active.trial_ends_on == ENDS.date()
        for now in (BEGUN, datetime(2026, 12, 1, 6, tzinfo=UTC), ENDS - timedelta(days=1)):
            bill(now)
        assert not Invoice.objects.exists()
        assert Entitlement.objects.earliest("id").plan_requests == 2_333  # 7 of 30 days

    def test_at_its_end_the_days_left_are_billed_with_the_setup_fee(self, trial: Tenant) -> None:
        ahead = services.forecast(tenant=trial, now=BEGUN)
        assert ahead is not None
        assert (ahead.total, [line.amount for line in ahead.lines]) == (32_45, [22_45, 10_00])
        for now in (ENDS, ENDS + timedelta(days=7), JANUARY):
            bill(now)
        assert fees(trial) == [
            ("Starter, 24 of 31 days", 22_45),  # 2,900 * 24 / 31 = 2,245.16
            ("Starter, setup", 10_00),
            ("Starter, 2027-01", 29_00),
        ]

    def test_that_ends_with_a_month_while_nothing_runs_is_billed_later(
        self, sign_up: SignUpCall
    ) -> None:
        price("starter", days=6)
        tenant = subscribe(sign_up)
        bill(datetime(2026, 12, 3, tzinfo=UTC))
        assert fees(tenant) == [("Starter, 1 of 30 days", 97), ("Starter, 2026-12", 29_00)]

    def test_cancelled_in_time_it_costs_nothing(self, trial: Tenant) -> None:
        change(trial, "free")
        assert plan_of(trial) == "starter"
        for now in (ENDS, JANUARY):
            bill(now)
        assert plan_of(trial) == "free"
        assert not Invoice.objects.exists()

    def test_a_dearer_plan_ends_it_and_takes_nothing_back(self, trial: Tenant) -> None:
        paid(trial, "pro")
        assert order_invoices() == [33_17]  # 19,900 * 5 / 30
        bill(ENDS)
        assert fees(trial) == [("Pro, 2026-12", 199_00)]

    def test_a_cheaper_plan_follows_it(self, trial: Tenant) -> None:
        price("payg", fee=5_00)
        change(trial, "payg")
        for now in (ENDS, JANUARY):
            bill(now)
        assert fees(trial) == [
            ("Pay as you go, 24 of 31 days", 3_87),  # 500 * 24 / 31
            ("Pay as you go, 2027-01", 5_00),
        ]

    @pytest.mark.parametrize("to", ["free", "payg"])
    def test_left_before_its_end_it_pays_for_nothing(self, sign_up: SignUpCall, to: str) -> None:
        price("starter", days=3)  # it would end within November
        tenant = subscribe(sign_up)
        services.plan_change(
            tenant=tenant, plan_code=to, shown=0, token="", actor=None,
            now=BEGUN + timedelta(days=1), at_once=True,
        )  # fmt: skip
        paid(tenant, "starter")
        assert order_invoices() == [4_83]  # 2,900 * 5 / 30
        bill(ENDS)
        assert fees(tenant) == [("Starter, 2026-12", 29_00)]

    def test_there_is_one_per_tenant(self, trial: Tenant) -> None:
        price("pro", fee=199_00, days=30)
        change(trial, "free")
        bill(ENDS)
        offer = services.plan_offer(tenant=trial, plan_code="pro", now=ENDS)
        assert (offer.trial_ends_on, offer.amount) == (None, 15_406)  # 24 of 31 days

    def test_who_came_for_free_can_still_have_one(self, sign_up: SignUpCall) -> None:
        price("starter", days=14)
        tenant = subscribe(sign_up, "free")
        order = paid(tenant, "starter")
        assert (order.amount, plan_of(tenant)) == (0, "starter")
        active = Subscription.objects.get(state=SubscriptionState.ACTIVE)
        assert active.trial_ends_on == date(2026, 12, 10)


class TestMail:
    def test_it_comes_once_three_days_before(self, trial: Tenant) -> None:
        for days in (4, 3, 3, 2):
            trials.trials_announce(now=ENDS - timedelta(days=days))
            assert Mail.objects.count() == (days <= 3)
        mail = message(Mail.objects.get())
        assert mail.subject == "Your trial of Starter ends on Dec. 8, 2026"
        assert "$29.00 a month" in mail.body

    def test_in_japanese(self, trial: Tenant) -> None:
        Tenant.objects.update(language="ja")
        trials.trials_announce(now=ENDS - timedelta(days=1))
        mail = message(Mail.objects.get())
        assert mail.subject == "Starter のトライアルは 2026年12月8日に終わります"

    def test_who_has_cancelled_is_not_told(self, trial: Tenant) -> None:
        change(trial, "free")
        assert trials.trials_announce(now=ENDS - timedelta(days=1)) == 0

    def test_who_is_being_deleted_is_not_told(self, trial: Tenant) -> None:
        tenant_leave(tenant=trial, actor=None, now=ENDS - timedelta(days=2))
        assert trials.trials_announce(now=ENDS - timedelta(days=1)) == 0


class TestSetupFee:
    def test_it_is_paid_with_the_first_month_once(self, sign_up: SignUpCall) -> None:
        price("starter", setup=10_00)
        tenant = subscribe(sign_up)
        assert order_invoices() == [6_77 + 10_00]
        change(tenant, "free")
        first = datetime(2026, 12, 1, tzinfo=UTC)
        bill(first)
        paid(tenant, "starter", now=first)
        assert order_invoices() == [16_77, 29_00]

    def test_each_plan_has_its_own(self, sign_up: SignUpCall) -> None:
        price("pro", fee=199_00, setup=50_00)
        tenant = subscribe(sign_up)
        lines = paid(tenant, "pro").invoice.lines.all()
        assert [(line.group, line.amount) for line in lines] == [
            ("proration", 33_17), ("proration", -4_83), ("setup", 50_00),
        ]  # fmt: skip

    def test_a_change_at_the_months_end_brings_it_with_the_first_fee(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, "pro")
        price("starter", setup=10_00)
        change(tenant, "starter")
        for now in (datetime(2026, 12, 1, tzinfo=UTC), JANUARY):
            bill(now)
        assert fees(tenant) == [
            ("Starter, 2026-12", 29_00), ("Starter, setup", 10_00), ("Starter, 2027-01", 29_00),
        ]  # fmt: skip

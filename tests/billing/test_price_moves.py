"""Moves to a new price: told in time, made on the 1st, withdrawable, one by one or in bulk."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import selectors, services
from billing.models import (
    ChangeState,
    Plan,
    PriceMove,
    SpendingCap,
    Subscription,
    SubscriptionState,
)
from billing.tiers import Tier
from tenants.errors import Refused
from tenants.models import AuditEntry, Entitlement, Mail, Meter, Tenant, User
from tenants.services.mails import message
from tests.billing.changed import bill, change, fees, paid, plan_of
from tests.billing.conftest import SignUpCall, subscribe
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 25, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)


def dearer(plan: str = "starter", fee: int = 39_00) -> None:
    services.price_set(
        plan=Plan.objects.get(code=plan), currency="USD", monthly_fee=fee, steps={}, now=NOW
    )


def schedule(*tenants: Tenant, on: date = date(2027, 1, 1), now: datetime = NOW) -> list[PriceMove]:
    return services.price_moves_schedule(
        subscriptions=Subscription.objects.filter(
            tenant__in=tenants, state=SubscriptionState.ACTIVE
        ),
        takes_effect_on=on,
        actor=None,
        now=now,
    )


@pytest.fixture
def starter(sign_up: SignUpCall) -> Tenant:
    tenant = subscribe(sign_up)
    dearer()
    return tenant


def test_the_new_price_is_billed_from_its_day_on_however_late(starter: Tenant) -> None:
    schedule(starter)
    row = selectors.subscription_row(tenant=starter, now=NOW)
    assert row["move"] == {"price": "$39.00 a month", "on": JANUARY.date()}
    for now in (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 8, tzinfo=UTC)):
        bill(now)
    assert fees(starter) == [("Starter, 2026-12", 29_00), ("Starter, 2027-01", 39_00)]
    old, new = Subscription.objects.filter(tenant=starter, plan__code="starter").order_by("id")
    assert (old.ends_on, new.starts_on) == (JANUARY.date(), JANUARY.date())


def test_it_is_told_once_with_both_prices_in_words(starter: Tenant) -> None:
    assert len(schedule(starter)) == 1
    assert schedule(starter) == []
    mail = message(Mail.objects.get())
    assert mail.subject == "The price of Starter changes on Jan. 1, 2027"
    assert "Until then: $29.00 a month" in mail.body
    assert "From then on: $39.00 a month" in mail.body
    assert mail.to == ["owner@example.org"]


def test_in_japanese_with_what_is_metered(sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up, "payg")
    Tenant.objects.update(language="ja")
    steps = {Meter.REQUESTS: [Tier(None, Decimal("0.3"))]}
    services.price_set(
        plan=Plan.objects.get(code="payg"), currency="USD", monthly_fee=0, steps=steps, now=NOW
    )
    schedule(tenant)
    mail = message(Mail.objects.get())
    assert mail.subject == "2027年1月1日に Pay as you go の料金が変わります"
    assert "$0.003" in mail.body


@pytest.mark.parametrize("on", [date(2026, 12, 1), date(2027, 1, 2), date(2026, 12, 26)])
def test_too_soon_or_within_a_month_is_refused(starter: Tenant, on: date) -> None:
    with pytest.raises(Refused, match=r"Jan\. 1, 2027"):
        schedule(starter, on=on)
    assert not Mail.objects.exists()


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2026, 11, 25, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2026, 12, 2, 23, tzinfo=UTC), date(2027, 1, 1)),  # just 30 days
        (datetime(2026, 12, 3, tzinfo=UTC), date(2027, 2, 1)),
        (datetime(2027, 1, 30, tzinfo=UTC), date(2027, 3, 1)),  # 30 days, past February
    ],
)
def test_the_first_day_leaves_the_days_of_notice(now: datetime, first: date) -> None:
    assert services.price_move_first_day(now=now) == first


def test_withdrawn_it_does_not_come_and_that_is_told(starter: Tenant) -> None:
    (move,) = schedule(starter)
    assert services.price_move_withdraw(move=move, actor=None, now=NOW)
    assert not services.price_move_withdraw(move=move, actor=None, now=NOW)
    bill(JANUARY)
    assert ("Starter, 2027-01", 29_00) in fees(starter)
    told = Mail.objects.get(kind="billing.price_move_withdrawn")
    assert "does not change" in message(told).subject


def test_who_has_left_the_plan_is_not_moved(starter: Tenant) -> None:
    schedule(starter)
    paid(starter, "pro")
    bill(JANUARY)
    assert plan_of(starter) == "pro"
    assert PriceMove.objects.get().state == ChangeState.WITHDRAWN


def test_a_change_of_plan_on_the_same_day_goes_first(starter: Tenant) -> None:
    schedule(starter)
    change(starter, "free", now=datetime(2026, 12, 20, tzinfo=UTC))
    bill(JANUARY)
    assert plan_of(starter) == "free"


def test_a_later_change_of_plan_outlives_a_move(starter: Tenant) -> None:
    schedule(starter)
    services.changes_apply(now=JANUARY)
    change(starter, "free", now=JANUARY)
    assert services.plan_keep(tenant=starter, now=JANUARY)


class TestAdmin:
    @pytest.fixture
    def operator(self, shop: None, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        return client

    def act(self, operator: Client, rows: Any, **answer: str) -> Any:
        return operator.post(
            reverse("admin:billing_subscription_changelist"),
            {
                "action": "move_to_newest_price",
                "_selected_action": [row.pk for row in rows],
                **answer,
            },
            follow=True,
        )

    def test_in_bulk_after_the_day_was_asked(self, operator: Client, sign_up: SignUpCall) -> None:
        for _ in range(2):
            subscribe(sign_up)
        dearer()
        rows = Subscription.objects.filter(state=SubscriptionState.ACTIVE)
        first = services.price_move_first_day(now=timezone.now())
        asked = self.act(operator, rows)
        assert asked.context["form"].initial == {"takes_effect_on": first}
        refused = self.act(operator, rows, answered="yes", takes_effect_on="2026-01-02")
        assert refused.context["form"].errors
        answer = self.act(operator, rows, answered="yes", takes_effect_on=first.isoformat())
        assert "2 moves scheduled." in " ".join(map(str, answer.context["messages"]))
        move = PriceMove.objects.latest("id")
        assert move.created_by is not None
        assert AuditEntry.objects.filter(action="price_move.scheduled").count() == 2
        lists = reverse("admin:billing_pricemove_changelist")
        operator.post(lists, {"action": "withdraw", "_selected_action": [move.pk]})
        move.refresh_from_db()
        assert move.state == ChangeState.WITHDRAWN
        assert operator.get(reverse("admin:billing_planchange_changelist")).status_code == 200


def test_a_spending_cap_is_reckoned_by_the_new_price_at_once(sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up, "payg")
    services.cap_set(tenant=tenant, amount=10_00, actor=None, now=NOW)
    steps = {Meter.REQUESTS: [Tier(None, Decimal(2))]}
    services.price_set(
        plan=Plan.objects.get(code="payg"), currency="USD", monthly_fee=0, steps=steps, now=NOW
    )
    schedule(tenant)
    services.changes_apply(now=JANUARY)
    assert SpendingCap.objects.get().requests == 500
    assert Entitlement.objects.latest("period_start").cap_requests == 500

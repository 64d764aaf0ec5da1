"""Packs that are given back: never both the requests and the money, and never neither."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from django.conf import LazySettings

from billing import payments, services
from billing.extensions import extension_rows
from billing.models import Invoice, InvoiceKind, Order, OrderState, Refund
from billing.services import taking_back
from billing.services.credit_notes import credit_note_issue
from portal.local.aws.server import LocalAWS
from tenants import selectors
from tenants.errors import Refused
from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    Lease,
    Mail,
    QuotaGrant,
    Tenant,
    UsagePlan,
)
from tenants.services import api_key_value_reveal, closing, reconcile, usage
from tenants.services.mails import message
from tests.billing.books import balances
from tests.billing.conftest import SignUpCall, bought, buy
from tests.billing.topped_up import charges, use
from tests.conftest import Call, RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)


def give_back(order: Order, now: datetime = NOW) -> None:
    services.order_take_back(order=order, actor=None, now=now)


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


class TestKnown:
    """Where no key is there, or the period is over, it is known at once."""

    def test_unused_it_is_paid_back_with_a_credit_note_and_a_mail(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        tenant = sign_up("free", now=NOW).tenant
        order = bought(tenant, now=NOW)
        for _ in range(2):
            give_back(order)
        assert selectors.usage_now(tenant=tenant, now=NOW).limit == 100
        assert charges(tenant) == [(1_00, False)]  # the requests first
        for _ in range(2):
            taking_back.taking_back_run(now=NOW)
            run_tasks("default")
        assert state_of(order) == OrderState.REFUNDED
        assert charges(tenant) == [(1_00, True)]
        note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
        assert (note.total, note.corrects) == (-1_00, order.invoice)
        assert Refund.objects.get().amount == 1_00
        assert balances() == {}
        sent = message(Mail.objects.get(kind="billing.pack_refunded"))
        assert note.number in sent.body
        (row,) = extension_rows(tenant=tenant, now=NOW)
        assert (row.left, row.state_label, row.may_be_given_back) == (0, "refunded", False)
        with pytest.raises(Refused):
            give_back(order)

    def test_used_it_is_kept_and_told_why(self, sign_up: SignUpCall) -> None:
        tenant = sign_up("free", now=NOW).tenant
        order = bought(tenant, now=NOW)
        give_back(order)
        use(tenant, 101)
        for _ in range(2):
            taking_back.taking_back_run(now=NOW)
        assert state_of(order) == OrderState.FULFILLED
        assert selectors.usage_now(tenant=tenant, now=NOW).limit == 200
        assert charges(tenant) == [(1_00, False)]
        assert not Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).exists()
        sent = message(Mail.objects.get(kind="billing.pack_kept"))
        assert "had been used" in sent.body
        (row,) = extension_rows(tenant=tenant, now=NOW)
        assert (row.used, row.left, "used" in row.note) == (1, 99, True)
        with pytest.raises(Refused, match="used"):
            give_back(order)

    def test_of_two_packs_the_one_that_was_not_needed_goes_back(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        tenant = sign_up("free", now=NOW).tenant
        orders = [bought(tenant, form=form, now=NOW) for form in "12"]
        for order in orders:
            give_back(order)
        use(tenant, 150)
        taking_back.taking_back_run(now=NOW)
        run_tasks("default")
        assert sorted(map(state_of, orders)) == [OrderState.FULFILLED, OrderState.REFUNDED]
        assert selectors.usage_now(tenant=tenant, now=NOW).limit == 200
        assert balances() == {"revenue": -1_00, "stripe": 1_00}

    def test_what_was_credited_already_is_not_paid_back_again(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        tenant = sign_up("free", now=NOW).tenant
        first, second = (bought(tenant, form=form, now=NOW) for form in "12")
        give_back(first)
        for order in (first, second):
            credit_note_issue(invoice=order.invoice, reason="by hand", actor=None, now=NOW)
        with pytest.raises(Refused, match="credited"):
            give_back(second)
        taking_back.taking_back_run(now=NOW)
        run_tasks("default")
        assert state_of(first) == OrderState.REFUNDED
        assert Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).count() == 2
        assert not Refund.objects.exists()

    def test_not_once_the_period_is_over(self, sign_up: SignUpCall) -> None:
        order = bought(sign_up("free", now=NOW).tenant, now=NOW)
        with pytest.raises(Refused, match="over"):
            give_back(order, MIDNIGHT)
        assert state_of(order) == OrderState.FULFILLED

    @pytest.mark.parametrize("name", ["credit_note_issue", "credit_note_refund", "mail_members"])
    def test_dying_at_any_step_loses_neither(
        self,
        sign_up: SignUpCall,
        run_tasks: RunTasks,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        tenant = sign_up("free", now=NOW).tenant
        order = bought(tenant, now=NOW)
        give_back(order)

        def dying(**_parameters: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(taking_back, name, dying)
            with pytest.raises(KeyboardInterrupt):
                taking_back.taking_back_run(now=NOW)
        assert state_of(order) == OrderState.TAKING_BACK
        taking_back.taking_back_run(now=NOW)
        with monkeypatch.context() as patched:
            patched.setattr(payments, "refund_create", dying)
            with pytest.raises(KeyboardInterrupt):
                run_tasks("default")
        run_tasks("default")
        assert charges(tenant) == [(1_00, True)]
        assert balances() == {}


@pytest.mark.parametrize(
    ("shown_and_paid", "is_granted"),
    [
        ("2026-11-30T23:59:58Z 2026-11-30T23:59:59Z", True),
        ("2026-11-30T23:59:59Z 2026-12-01T00:00:00Z", False),
        ("2026-12-01T00:00:00Z 2026-12-01T00:00:01Z", True),
    ],
)
@pytest.mark.parametrize("period", ["MONTH", "DAY"])
def test_it_is_granted_in_the_period_that_was_shown_or_paid_back(
    sign_up: SignUpCall, run_tasks: RunTasks, shown_and_paid: str, is_granted: bool, period: str
) -> None:
    shown, paid = map(datetime.fromisoformat, shown_and_paid.split())
    tenant = sign_up("free", now=NOW).tenant
    UsagePlan.objects.update(quota_period=period)
    tenant.refresh_from_db()
    order = services.extension_order(
        tenant=tenant, pack_code="extra-100", token="1", actor=None, now=shown
    )
    services.order_check(order=buy(order, now=shown), now=paid)
    run_tasks("default")
    assert state_of(order) == (OrderState.FULFILLED if is_granted else OrderState.REFUNDED)
    assert charges(tenant) == [(1_00, not is_granted)]
    starts = QuotaGrant.objects.values_list("entitlement__period_start", flat=True)
    assert list(starts) == ([order.period_start] if is_granted else [])
    assert selectors.usage_now(tenant=tenant, now=shown).limit == (200 if is_granted else 100)


class World:
    """One tenant with a working key, and a clock that the gateway and the portal share."""

    def __init__(self, aws_url: str, call: Call, tenant: Tenant) -> None:
        self.aws_url, self.call, self.tenant, self.now = aws_url, call, tenant, NOW
        self.tick(timedelta(0))
        self.work()
        version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
        ApiKeyVersion.objects.update(revealed_at=None)
        value = api_key_value_reveal(version=version, now=NOW)
        assert value is not None
        self.value = value

    def tick(self, delta: timedelta) -> None:
        self.now += delta
        body = {"now": self.now.isoformat()}
        httpx.post(f"{self.aws_url}/_sekisho/clock", json=body).raise_for_status()

    def work(self) -> None:
        """What beat does: read, reconcile, close what is over, decide about packs."""
        for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
            usage.usage_sync(mirror=mirror, now=self.now)
        reconcile.tenant_reconcile(tenant_id=self.tenant.pk, clock=lambda: self.now)
        closing.periods_close(now=self.now)
        taking_back.taking_back_run(now=self.now)

    def wait(self, hours: int) -> None:
        for _ in range(hours * 2):
            self.tick(timedelta(minutes=30))
            self.work()

    def passes(self, most: int) -> int:
        for count in range(most):
            if self.call(self.value).status_code != 200:
                return count
        return most


@pytest.fixture
def world(
    sign_up: SignUpCall, local_aws: LocalAWS, call: Call, settings: LazySettings
) -> Iterator[World]:
    """A busy gateway whose figures are 45 minutes late; a rate that makes that much uncertainty."""
    settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = 45 * 60, 60 * 60
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 45 * 60})
    httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": NOW.isoformat()})
    tenant = sign_up("free", now=NOW).tenant
    UsagePlan.objects.update(burst_limit=5_000)
    tenant.refresh_from_db()
    yield World(local_aws.url, call, tenant)
    httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": None})
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 0})


class TestLate:
    """At the real local gateway, with usage that is told 45 minutes late."""

    @pytest.mark.parametrize(("before", "after"), [(0, 0), (60, 40), (150, 0)])
    def test_never_the_requests_and_the_money(
        self, world: World, run_tasks: RunTasks, before: int, after: int
    ) -> None:
        order = bought(world.tenant, now=world.now)
        world.work()
        used = world.passes(before)
        if used < before:  # the key is dry, and gets what the raise had held back
            world.wait(1)
            used += world.passes(before - used)
        assert used == before
        give_back(order, world.now)  # GetUsage has told of nothing yet
        world.work()
        used += world.passes(after)
        for _ in range(4):
            world.wait(3)
        while world.now < MIDNIGHT + timedelta(hours=6):
            world.tick(timedelta(hours=12))
            world.work()
        world.wait(4)
        run_tasks("default")
        is_paid_back = state_of(order) == OrderState.REFUNDED
        assert is_paid_back == (used <= 100)
        assert charges(world.tenant) == [(1_00, is_paid_back)]
        (row,) = extension_rows(tenant=world.tenant, now=world.now)
        assert (row.used, row.expired) == ((0, 0) if is_paid_back else (used - 100, 200 - used))

    def test_with_nothing_uncertain_it_is_paid_back_within_the_period(
        self, world: World, run_tasks: RunTasks
    ) -> None:
        order = bought(world.tenant, now=world.now)
        world.work()
        UsagePlan.objects.update(rate_limit=0.0001, burst_limit=1)
        give_back(order, world.now)
        world.wait(1)
        assert state_of(order) == OrderState.TAKING_BACK
        world.wait(4)
        run_tasks("default")
        assert state_of(order) == OrderState.REFUNDED
        assert world.passes(150) == 100
        assert Lease.objects.get().limit_requests == 100

"""Automatic top-ups where something fails: a death, no answer, midnight, two runs. One charge."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing import payments, services
from billing.models import AutoTopUp, Invoice, Order, OrderState
from billing.services import top_up_all
from billing.services.look_ups import movement_settle
from billing.services.top_up_all import top_ups_run
from tenants.models import Mail, QuotaGrant, Tenant
from tests.billing.conftest import SignUpCall, deliver, events_of
from tests.billing.deaths import killed
from tests.billing.topped_up import NOW, charges, topping_up, use
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return topping_up(sign_up)


class TestFaults:
    @pytest.mark.stripe
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(hours=24)])
    def test_dying_around_the_charge_charges_once(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, when: str, later: timedelta
    ) -> None:
        use(tenant, 100)
        real = payments.intent_create

        def dying(**parameters: Any) -> None:
            if when == "after":
                if later > timedelta(hours=23):  # only the metadata can tell by then
                    parameters["idempotency_key"] = f"forgotten-{tenant.uuid}"
                real(**parameters)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", dying)
            with pytest.raises(KeyboardInterrupt):
                top_ups_run(clock=lambda: NOW)
        assert Order.objects.get(is_top_up=True).state == OrderState.PENDING
        for _ in range(2):
            top_ups_run(clock=lambda: NOW + later)
        assert charges(tenant) == [(1_00, False)]
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.get().total == 1_00

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_dying_over_the_end_of_the_month_costs_nothing(
        self,
        tenant: Tenant,
        run_tasks: RunTasks,
        when: str,
    ) -> None:
        last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
        use(tenant, 100)
        with killed(when, "intent_create"):
            top_ups_run(clock=lambda: last)
        top_ups_run(clock=lambda: last + timedelta(seconds=1))
        run_tasks("default")
        order = Order.objects.get(is_top_up=True)
        assert order.state == (OrderState.REFUNDED if when == "after" else OrderState.EXPIRED)
        assert charges(tenant) == ([(1_00, True)] if when == "after" else [])
        assert not QuotaGrant.objects.exists()
        assert not Invoice.objects.exists()
        assert AutoTopUp.objects.get().is_on

    @pytest.mark.parametrize(("reads", "is_charged"), [(2, False), (3, True)])
    def test_a_charge_over_midnight_is_of_the_day_when_it_is_settled(
        self, tenant: Tenant, run_tasks: RunTasks, reads: int, is_charged: bool
    ) -> None:
        """Over before the charge nothing is charged; over before it is settled it goes back."""
        last, first = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
        use(tenant, 100)
        times = iter([last] * reads)
        top_ups_run(clock=lambda: next(times, first))
        run_tasks("default")
        order = Order.objects.get(is_top_up=True)
        assert order.state == (OrderState.REFUNDED if is_charged else OrderState.EXPIRED)
        assert charges(tenant) == ([(1_00, True)] if is_charged else [])
        assert not QuotaGrant.objects.exists()

    def test_a_row_that_nobody_can_deal_with_stops_no_other(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(tenant, 100)
        real = top_up_all._order_due
        broken = tenant.pk - 1
        monkeypatch.setattr(top_up_all, "_tenants_under_way", lambda: [broken])

        def due(tenant_id: int, now: datetime) -> Order | None:
            if tenant_id == broken:
                raise ValueError("a row that cannot be")
            return real(tenant_id, now)

        monkeypatch.setattr(top_up_all, "_order_due", due)
        assert len(top_ups_run(clock=lambda: NOW).settled) == 1
        assert charges(tenant) == [(1_00, False)]

    def test_an_unknown_outcome_is_asked_about_again(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(tenant, 100)
        with monkeypatch.context() as patched:

            def unavailable(**parameters: Any) -> None:
                raise payments.PaymentUnavailable("charge: no answer")

            patched.setattr(payments, "intent_create", unavailable)
            assert len(top_ups_run(clock=lambda: NOW).settled) == 0
        assert len(top_ups_run(clock=lambda: NOW).settled) == 1
        assert charges(tenant) == [(1_00, False)]

    def test_runs_at_once_charge_once(self, tenant: Tenant) -> None:
        use(tenant, 100)
        together = threading.Barrier(3)

        def run() -> None:
            together.wait()
            top_ups_run(clock=lambda: NOW)
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        top_ups_run(clock=lambda: NOW)
        assert charges(tenant) == [(1_00, False)]
        assert Order.objects.filter(is_top_up=True).count() == 1
        assert QuotaGrant.objects.get().requests == 100

    def test_one_that_only_the_balance_tells_of_is_told_too(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(tenant, 100)
        made: list[payments.IntentState] = []
        real = payments.intent_create

        def dying(**parameters: Any) -> None:
            made.append(real(**parameters))
            raise payments.PaymentUnavailable("charge: no answer")

        monkeypatch.setattr(payments, "intent_create", dying)
        top_ups_run(clock=lambda: NOW)
        for _ in range(2):
            movement_settle(source_id="ch_1", payment_intent_id=made[0].id, now=NOW)
        assert Order.objects.get(is_top_up=True).state == OrderState.FULFILLED
        assert Mail.objects.filter(kind="billing.top_up_bought").count() == 1

    def test_the_webhook_alone_delivers_it_and_no_checkout_takes_it(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
    ) -> None:
        use(tenant, 100)
        real = payments.intent_create

        def dying(**parameters: Any) -> None:
            real(**parameters)
            raise payments.PaymentUnavailable("charge: no answer")

        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", dying)
            top_ups_run(clock=lambda: NOW)
        order = Order.objects.get(is_top_up=True)
        assert services.checkout_start(order=order, success_url="", cancel_url="", now=NOW) == ""
        told = events_of(order)
        assert told
        monkeypatch.setattr(timezone, "now", lambda: NOW)
        for event in told * 2:
            deliver(event)
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED
        assert QuotaGrant.objects.count() == Invoice.objects.count() == 1

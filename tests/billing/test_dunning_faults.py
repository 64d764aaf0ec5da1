"""Dunning where something fails: a step is taken once, and charged once, whatever dies."""

import threading
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from billing import payments, services
from billing.models import (
    Account,
    DunningCase,
    DunningDone,
    DunningOutcome,
    Entry,
    InvoiceState,
    StripeEvent,
)
from billing.services.bank import bank_transfer_record
from tests.billing.conftest import SignUpCall, deliver, events_of
from tests.billing.deaths import killed
from tests.billing.dunned import ASKS, FIRST, GOOD, charges, kinds, on, taken, uncollected, use_card

pytestmark = pytest.mark.django_db(transaction=True)


def _stored(event_id: str) -> StripeEvent:
    return StripeEvent.objects.get(event_id=event_id)


class TestFaults:
    @pytest.mark.stripe
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("name", ["intent_cancel", "intent_create"])
    def test_killed_around_a_retry_it_is_gone_on_with_and_charges_once(
        self, sign_up: SignUpCall, name: str, when: str
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        use_card(invoice.tenant, GOOD)
        with killed(when, name):
            services.dun(now=on(2, 6))
        assert taken() == [(2, 1, "under_way")]
        services.dun(now=on(2, 6) + timedelta(minutes=5))  # somebody may still be at it
        assert taken() == [(2, 1, "under_way")]
        services.dun(now=on(2, 7))
        assert taken() == [(2, 1, "paid")]
        invoice.refresh_from_db()
        assert (invoice.state, charges(invoice.tenant)) == (InvoiceState.PAID, [29_00])

    @pytest.mark.stripe
    def test_killed_before_a_decline_is_noted_it_is_the_same_retry(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))

        def dying(**_parameters: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("billing.services.dunning.failure_tell", dying)
            with pytest.raises(KeyboardInterrupt):
                services.dun(now=on(2))
        services.dun(now=on(2, 7))
        assert (taken(), invoice.payments.count()) == ([(2, 1, "declined")], 2)
        assert kinds() == ["payment_failed"] * 2

    @pytest.mark.stripe
    def test_without_an_answer_it_waits_and_the_next_run_asks(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        use_card(invoice.tenant, GOOD)
        real = payments.intent_create

        def unheard(**parameters: Any) -> None:
            real(**parameters)
            raise payments.PaymentUnavailable("no answer")

        with monkeypatch.context() as patched:
            patched.setattr(payments, "intent_create", unheard)
            assert services.dun(now=on(2)).failed == {}
        services.dun(now=on(3, 7))  # Stripe has forgotten the key, not the charge
        assert (taken(), charges(invoice.tenant)) == ([(2, 1, "paid")], [29_00])

    def test_webhooks_that_come_late_and_twice_change_nothing(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        use_card(invoice.tenant, GOOD)
        services.dun(now=on(2))
        mine = events_of(invoice)
        for event in [*mine, *mine[::-1]]:
            deliver(event)
            services.event_process(event=_stored(event.id), now=on(2, 8))
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_paid) == (InvoiceState.PAID, 29_00)
        assert [p.state for p in invoice.payments.order_by("attempt")] == ["failed", "succeeded"]

    def test_a_webhook_does_not_turn_a_question_into_a_decline(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up, ASKS)
        for event in events_of(invoice):
            if event.type == "payment_intent.payment_failed":
                deliver(event)
                services.event_process(event=_stored(event.id), now=FIRST)
        assert invoice.payments.get().state == "needs_action"
        assert kinds() == ["payment_confirm"]

    def test_one_tenants_failure_stops_no_other(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = uncollected(sign_up), uncollected(sign_up)
        services.dun(now=on(1))
        real = payments.intent_cancel

        def broken(*, intent_id: str) -> payments.IntentState:
            if intent_id == first.payments.get().payment_intent_id:
                raise ValueError("broken")
            return real(intent_id=intent_id)

        monkeypatch.setattr(payments, "intent_cancel", broken)
        run = services.dun(now=on(2))
        assert run.failed == {first.number: "broken"}
        assert DunningDone.objects.get(case__invoice=second).outcome == DunningOutcome.DECLINED

    @pytest.mark.stripe
    def test_paid_by_bank_while_a_retry_is_under_way_is_the_tenants_credit(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        use_card(invoice.tenant, GOOD)
        real = payments.intent_create

        def meanwhile(**parameters: Any) -> payments.IntentState:
            bank_transfer_record(
                invoice=invoice, amount=29_00, reference="T-1", received_on=date(2026, 12, 2),
                actor=None, now=on(2),
            )  # fmt: skip
            return real(**parameters)

        monkeypatch.setattr(payments, "intent_create", meanwhile)
        services.dun(now=on(2))
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, -29_00)
        credit = Entry.objects.filter(account=Account.CREDIT)
        assert [entry.amount for entry in credit] == [-29_00]
        assert DunningCase.objects.get().closed_at is not None
        assert services.dun(now=on(20)).taken == []

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time there")
    def test_runs_side_by_side_take_each_step_once(self, sign_up: SignUpCall) -> None:
        invoices = [uncollected(sign_up) for _ in range(3)]
        services.dun(now=on(1))
        for day in (2, 15):
            runs = [threading.Thread(target=_dun_apart, args=[on(day)]) for _ in range(3)]
            for run in runs:
                run.start()
            for run in runs:
                run.join()
        for invoice in invoices:
            assert invoice.payments.count() == 3
            assert DunningDone.objects.filter(case__invoice=invoice).count() == 2


def _dun_apart(now: datetime) -> None:
    try:
        services.dun(now=now)
    finally:
        connection.close()

"""Dunning: each step once, on its day; keys stop, and work again once it is paid."""

from datetime import date, timedelta

import pytest

from billing import services
from billing.models import (
    DunningAct,
    DunningCase,
    DunningStep,
    Invoice,
)
from billing.overdue import overdue
from billing.services.bank import bank_transfer_record
from tenants.models import ApiKeyVersion, Hold, HoldReason, Mail
from tenants.services import api_key_value_reveal, hold_place
from tenants.services.mails import message
from tests.billing.conftest import SignUpCall
from tests.billing.dunned import (
    ASKS,
    FIRST,
    GOOD,
    charges,
    is_held,
    issue,
    kinds,
    on,
    taken,
    uncollected,
    until_suspended,
    use_card,
)
from tests.conftest import Call, RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.stripe
class TestCalendar:
    def test_the_seeded_schedule(self, shop: None) -> None:
        steps = list(DunningStep.objects.values_list("day", "act"))
        assert steps == [
            (1, "retry"), (3, "retry"), (5, "retry"), (7, "retry"), (14, "suspend"),
        ]  # fmt: skip

    def test_a_case_from_its_first_day_to_its_last(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        for day in range(1, 21):
            for hour in (7, 23):  # beat runs often; a day's step is taken once
                services.dun(now=on(day, hour))
        # Opened on the 1st: retries 1, 3, 5 and 7 days later, and the end after 14.
        assert taken() == [
            (2, 1, "declined"),
            (4, 3, "declined"),
            (6, 5, "declined"),
            (8, 7, "declined"),
            (15, 14, "suspended"),
        ]
        assert invoice.payments.count() == 5  # the first one, and the four retries
        assert kinds() == ["payment_failed"] * 5 + ["suspended"]
        assert is_held(invoice.tenant)
        assert charges(invoice.tenant) == []

    def test_a_run_that_comes_late_takes_one_step_and_keeps_the_days_between(
        self, sign_up: SignUpCall
    ) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        for day in range(9, 24):  # a week without any run
            services.dun(now=on(day))
        # The rest of the schedule follows from the 9th: 2, 2, 2 and 7 days apart.
        assert [(day, step) for day, step, _ in taken()] == [
            (9, 1), (11, 3), (13, 5), (15, 7), (22, 14),
        ]  # fmt: skip

    def test_an_operators_reminder_is_a_mail_and_no_charge(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        DunningStep.objects.filter(day=1).update(act=DunningAct.REMIND)
        services.dun(now=on(1))
        services.dun(now=on(2))
        assert (taken(), invoice.payments.count()) == ([(2, 1, "mailed")], 1)
        assert kinds() == ["payment_failed"] * 2

    def test_what_pages_say_is_to_come(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        services.dun(now=on(2))
        (row,) = overdue(tenant=invoice.tenant, now=on(2))
        assert [step.outcome for step in row.past] == [
            "There is not enough money on the card. Please top it up, or pay with another card."
        ] * 2
        assert [step.on for step in row.ahead] == [date(2026, 12, day) for day in (4, 6, 8, 15)]
        assert row.stops_on == date(2026, 12, 15)


class TestOpening:
    def test_no_card_and_nothing_to_try(self, sign_up: SignUpCall) -> None:
        uncollected(sign_up, card="")
        Invoice.objects.update(due_on=date(2026, 12, 1))
        for day in (1, 2, 3):
            services.dun(now=on(day))
        assert taken() == [(3, 1, "no_card")]  # there is a case from the 2nd on
        assert "There is no saved card to charge." in message(Mail.objects.latest("id")).body

    def test_one_that_is_not_due_yet_waits_for_a_transfer(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up, card="")
        Invoice.objects.filter(pk=invoice.pk).update(due_on=date(2026, 12, 31))
        services.dun(now=on(31))
        assert not DunningCase.objects.exists()
        services.dun(now=on(31) + timedelta(days=1))
        assert DunningCase.objects.get().invoice == invoice

    @pytest.mark.stripe
    def test_a_bank_that_asks_has_a_day_of_its_own(self, sign_up: SignUpCall) -> None:
        uncollected(sign_up, ASKS)
        assert kinds() == ["payment_confirm"]
        services.dun(now=on(2, 6))
        assert not DunningCase.objects.exists()
        services.dun(now=on(2, 7))
        assert DunningCase.objects.get().opened_at == on(2, 7)
        services.dun(now=on(3, 7))
        assert taken() == [(3, 1, "needs_action")]
        assert kinds() == ["payment_confirm", "payment_failed", "payment_confirm"]

    def test_a_paid_one_has_no_case(self, sign_up: SignUpCall) -> None:
        uncollected(sign_up, GOOD)
        services.dun(now=on(2))
        assert not DunningCase.objects.exists()

    def test_a_few_cents_that_are_left_end_the_case_and_the_hold(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        for day in range(1, 16):
            services.dun(now=on(day))
        assert is_held(invoice.tenant)
        now = on(16)
        bank_transfer_record(
            invoice=invoice, amount=28_88, reference="T1", received_on=now.date(), actor=None,
            now=now,
        )  # fmt: skip
        services.dun(now=now)
        assert DunningCase.objects.get().closed_at == now
        assert not is_held(invoice.tenant)
        services.dun(now=on(30))
        assert DunningCase.objects.count() == 1


@pytest.mark.stripe
class TestSuspension:
    def test_keys_stop_at_the_gateway_and_work_again_once_it_is_paid(
        self, sign_up: SignUpCall, call: Call, run_tasks: RunTasks
    ) -> None:
        invoice = uncollected(sign_up)
        run_tasks("gateway_urgent", "gateway")
        version = ApiKeyVersion.objects.get(api_key__tenant=invoice.tenant)
        ApiKeyVersion.objects.update(revealed_at=None)
        value = api_key_value_reveal(version=version, now=on(1))
        assert call(value).status_code == 200
        until_suspended(invoice)
        run_tasks("gateway_urgent")
        assert call(value).status_code == 403
        use_card(invoice.tenant, GOOD)
        services.invoice_retry(invoice=invoice, now=on(16))
        assert not is_held(invoice.tenant)  # in the very transaction of the payment
        assert "tenants.tasks.tenant_reconcile" in run_tasks("gateway_urgent")
        assert call(value).status_code == 200
        assert DunningCase.objects.get().closed_at == on(16)
        assert kinds()[-1] == "reactivated"

    def test_a_transfer_ends_it_as_well(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        until_suspended(invoice)
        for part, reference in ((9_00, "T-1"), (20_00, "T-2")):
            assert is_held(invoice.tenant)
            bank_transfer_record(
                invoice=invoice, amount=part, reference=reference, received_on=date(2026, 12, 16),
                actor=None, now=on(16),
            )  # fmt: skip
        assert not is_held(invoice.tenant)

    def test_of_two_invoices_the_last_one_paid_ends_it(self, sign_up: SignUpCall) -> None:
        first = uncollected(sign_up)
        second = issue(first.tenant, month=11)
        services.invoice_collect(invoice=second, now=FIRST)
        until_suspended(first)
        use_card(first.tenant, GOOD)
        services.invoice_retry(invoice=first, now=on(16))
        assert is_held(first.tenant)
        services.invoice_retry(invoice=second, now=on(16))
        assert not is_held(first.tenant)

    def test_an_operators_own_hold_stays(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up)
        until_suspended(invoice)
        hold_place(tenant=invoice.tenant, reason=HoldReason.OPERATOR, now=on(15))
        use_card(invoice.tenant, GOOD)
        services.invoice_retry(invoice=invoice, now=on(16))
        holds = Hold.objects.filter(tenant=invoice.tenant, lifted_at=None)
        assert [hold.reason for hold in holds] == ["operator"]

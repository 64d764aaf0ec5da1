"""Dunning: each step once, on its day, whatever dies; keys stop, and work again once it is paid."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing import payments, services
from billing.models import (
    Account,
    DunningAct,
    DunningCase,
    DunningDone,
    DunningOutcome,
    DunningStep,
    Entry,
    Invoice,
    InvoiceState,
    Notice,
    StripeEvent,
)
from billing.overdue import overdue
from billing.services.bank import bank_transfer_record
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, Hold, HoldReason, Tenant, User
from tenants.services import api_key_value_reveal, hold_place
from tests.billing.conftest import BACK, SignUpCall, deliver, events_of, pay
from tests.billing.dunned import ASKS, DECLINES, FIRST, GOOD, charges, issue, uncollected, use_card
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
Call = Callable[[str | None], httpx.Response]


def on(day: int, hour: int = 6) -> datetime:
    """Return an hour of a day of December 2026, UTC."""
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def taken() -> list[tuple[int, int, str]]:
    """Return the steps that were taken: the day of December, the schedule's day, the outcome."""
    return [
        (step.done_at.day, step.day, step.outcome) for step in DunningDone.objects.order_by("day")
    ]


def kinds() -> list[str]:
    return list(Notice.objects.order_by("id").values_list("kind", flat=True))


def is_held(tenant: Tenant) -> bool:
    return Hold.objects.filter(tenant=tenant, reason="dunning", lifted_at=None).exists()


def until_suspended(invoice: Invoice) -> DunningCase:
    for day in range(1, 16):
        services.dun(now=on(day))
    assert is_held(invoice.tenant)
    return DunningCase.objects.get(invoice=invoice)


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
    def test_no_card_and_nothing_to_try(self, sign_up: SignUpCall, run_tasks: RunTasks) -> None:
        uncollected(sign_up, card="")
        Invoice.objects.update(due_on=date(2026, 12, 1))
        for day in (1, 2, 3):
            services.dun(now=on(day))
        assert taken() == [(3, 1, "no_card")]  # there is a case from the 2nd on
        run_tasks("default")
        assert "There is no saved card to charge." in mail.outbox[-1].body

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

    def test_a_webhook_does_not_turn_a_question_into_a_decline(self, sign_up: SignUpCall) -> None:
        invoice = uncollected(sign_up, ASKS)
        for event in events_of(invoice):
            if event.type == "payment_intent.payment_failed":
                deliver(event)
                services.event_process(event=_stored(event.id), now=FIRST)
        assert invoice.payments.get().state == "needs_action"
        assert kinds() == ["payment_confirm"]

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


def _stored(event_id: str) -> StripeEvent:
    return StripeEvent.objects.get(event_id=event_id)


class TestFaults:
    @pytest.mark.stripe
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("name", ["intent_cancel", "intent_create"])
    def test_killed_around_a_retry_it_is_gone_on_with_and_charges_once(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch, name: str, when: str
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        use_card(invoice.tenant, GOOD)
        real = getattr(payments, name)

        def dying(**parameters: Any) -> None:
            if when == "after":
                real(**parameters)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, name, dying)
            with pytest.raises(KeyboardInterrupt):
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


class TestOperators:
    @pytest.fixture
    def operator(self, shop: None, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        return client

    def act(self, operator: Client, action: str, case: DunningCase) -> str:
        page = reverse("admin:billing_dunningcase_changelist")
        chosen = {"action": action, "_selected_action": [case.pk], "answered": "yes"}
        answer = operator.post(page, chosen, follow=True)
        return " ".join(str(message) for message in answer.context["messages"])

    def test_a_case_shows_its_steps(self, sign_up: SignUpCall, operator: Client) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        services.dun(now=on(2))
        case = DunningCase.objects.get()
        page = operator.get(reverse("admin:billing_dunningcase_change", args=[case.pk]))
        assert "not enough money on the card" in page.content.decode()
        assert operator.get(reverse("admin:billing_dunningstep_changelist")).status_code == 200

    def test_a_paused_case_takes_no_step_until_it_goes_on(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        case = DunningCase.objects.get()
        self.act(operator, "pause", case)
        services.dun(now=on(20))
        assert taken() == []
        self.act(operator, "go_on", case)
        services.dun(now=on(20))
        assert taken() == [(20, 1, "declined")]

    def test_given_up_it_is_a_loss_in_the_books_and_keys_work_again(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        invoice = uncollected(sign_up)
        case = until_suspended(invoice)
        self.act(operator, "give_up", case)
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.UNCOLLECTIBLE
        entries = Entry.objects.filter(posting__key=f"written-off:{invoice.uuid}")
        assert dict(entries.values_list("account", "amount")) == {
            "losses": 29_00, "receivable": -29_00,
        }  # fmt: skip
        assert not is_held(invoice.tenant)
        assert "reactivated" not in kinds()
        assert "is not open" in self.act(operator, "give_up", case)
        with pytest.raises(Refused):
            services.case_give_up(case=case, actor=User.objects.latest("id"), now=on(17))

    def test_giving_up_is_asked_about_first(self, sign_up: SignUpCall, operator: Client) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        chosen = {"action": "give_up", "_selected_action": [DunningCase.objects.get().pk]}
        page = operator.post(reverse("admin:billing_dunningcase_changelist"), chosen)
        assert f"Written off as losses: {invoice.number} ($29.00)." in page.content.decode()
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.OPEN

    def test_who_may_only_view_cannot_act(self, sign_up: SignUpCall, client: Client) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        viewer = User.objects.create_user("viewer@example.com", PASSWORD, is_staff=True)
        viewing = Permission.objects.filter(
            content_type__app_label="billing", codename__startswith="view_"
        )
        viewer.user_permissions.set(viewing)
        client.force_login(viewer)
        self.act(client, "give_up", DunningCase.objects.get())
        invoice.refresh_from_db()
        assert invoice.state == InvoiceState.OPEN
        request = RequestFactory().get("/")
        request.user = viewer
        offered = {
            name
            for model, model_admin in admin.site._registry.items()
            if model._meta.app_label == "billing"
            for name in model_admin.get_actions(request)
        }
        assert offered == {"export_csv", "export_json"}

    def test_pausing_locks_the_tenant_before_the_case(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        uncollected(sign_up)
        services.dun(now=on(1))
        case, actor = DunningCase.objects.get(), User.objects.latest("id")
        with CaptureQueriesContext(connection) as queries:
            services.case_pause(case=case, is_paused=True, actor=actor, now=on(2))
        read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        tables = re.findall(r'FROM "(\w+)"', " ".join(read))
        assert tables[1:4] == ["tenants_tenant", "billing_invoice", "billing_dunningcase"]

    def test_what_comes_in_after_all_makes_the_loss_smaller(
        self, sign_up: SignUpCall, operator: Client
    ) -> None:
        invoice = uncollected(sign_up)
        services.dun(now=on(1))
        url = services.invoice_checkout(
            invoice=invoice, success_url=BACK, cancel_url=BACK, now=on(1, 8)
        )
        self.act(operator, "give_up", DunningCase.objects.get())
        pay(url)  # the page was open
        services.invoice_check(invoice=invoice, now=on(1, 9))
        invoice.refresh_from_db()
        assert (invoice.state, invoice.amount_due) == (InvoiceState.PAID, 0)
        for account in (Account.LOSSES, Account.RECEIVABLE):
            about = Entry.objects.filter(posting__invoice=invoice, account=account)
            assert sum(entry.amount for entry in about) == 0

    def test_a_dry_run_says_what_it_would_do_and_does_nothing(
        self, sign_up: SignUpCall, capsys: pytest.CaptureFixture[str]
    ) -> None:
        invoice = uncollected(sign_up, DECLINES)
        call_command("dun", dry_run=True)
        assert f"would open  {invoice.number}" in capsys.readouterr().out
        assert not DunningCase.objects.exists()
        call_command("dun")
        DunningCase.objects.update(opened_at=timezone.now() - timedelta(days=2))
        call_command("dun", dry_run=True)
        assert "would take" in capsys.readouterr().out
        assert taken() == []

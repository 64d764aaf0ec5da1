"""Changes of plan that begin at once: what is charged for them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from billing import services
from billing.extensions import extension_rows
from billing.models import (
    Customer,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Order,
    OrderState,
    Plan,
    PriceVersion,
    Subscription,
)
from billing.proof import prove
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.services.creditable import lines_creditable
from tenants.errors import Refused
from tenants.models import Entitlement, Meter, PlanSpan, QuotaGrant, Tenant, UsageDay, User
from tenants.services.closing import periods_close
from tests.billing.books import write_off
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
from tests.billing.conftest import SignUpCall, buy, pay, start, subscribe
from tests.billing.months import close_settled
from tests.cast import PASSWORD
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


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

    def test_what_was_taken_back_is_not_credited_as_well(
        self, starter: Tenant, client: Client
    ) -> None:
        changed = paid(starter, "pro").invoice
        first = Invoice.objects.earliest("id")  # 677, of which 483 were taken back
        for more in ({"amount": 195}, {"amounts": {1: 195}}):
            with pytest.raises(Refused, match=r"plan has taken back \$4.83 of its fee"):
                credit_note_issue(invoice=first, reason="", actor=None, now=DAY, **more)
        client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
        page = client.get(reverse("admin:billing_invoice_credit_note", args=[first.pk]))
        help_text = page.context["form"].fields["line_1"].help_text
        assert help_text.startswith("Before tax, of $1.94 left.")
        assert help_text.endswith("A change of plan has taken back $4.83 of its fee.")
        assert credit_note_issue(invoice=first, reason="", actor=None, now=DAY).total == -194
        with pytest.raises(Refused, match=r"nothing to credit. A change of plan"):
            credit_note_issue(invoice=first, reason="", actor=None, now=DAY)
        assert client.get(page.request["PATH_INFO"]).context["form"].fields["line_1"].max_value == 0
        credit_note_issue(invoice=changed, reason="", actor=None, now=DAY)
        assert credit_note_issue(invoice=first, reason="", actor=None, now=DAY).total == -483
        assert prove().is_proved

    def test_a_change_that_was_credited_whole_leaves_the_days_paid_as_before_it(
        self, starter: Tenant
    ) -> None:
        invoice = paid(starter, "pro").invoice
        credit_note_issue(invoice=invoice, reason="A mistake", actor=None, now=DAY)
        back = services.plan_offer(tenant=starter, plan_code="starter", now=NEXT_DAY, at_once=True)
        assert [line.amount for line in back.lines] == [387, -387]  # paid in its first week
        services.plan_change(
            tenant=starter, plan_code="starter", shown=0, token="", actor=None, now=NEXT_DAY,
            at_once=True,
        )  # fmt: skip
        assert plan_of(starter) == "starter"
        assert paid(starter, "pro", now=NEXT_DAY).invoice.total == 2653 - 387
        first = Invoice.objects.earliest("id")  # what this took back is of the first week's
        assert list(lines_creditable(invoice=first).values()) == [677 - 387]

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

    def test_a_pack_bought_and_used_on_the_day_that_it_begins_is_paid_for_once(
        self, sign_up: SignUpCall
    ) -> None:
        """`starter` was held for 2 of 30 days, and gave 10,000 * 2 / 30 = 667: 33 of the 700 were
        the pack's. The gateway counted 5,000 of the day, and all later ones, under `payg`.
        """
        tenant = subscribe(sign_up)
        used(tenant, date(2026, 11, 25), 500)
        pack = services.extension_order(
            tenant=tenant, pack_code="extra-100", token="p", actor=None, now=DAY
        )
        pack = services.order_check(order=buy(pack, now=DAY), now=DAY)
        used(tenant, DAY.date(), 200)
        services.plan_change(
            tenant=tenant, plan_code="payg", shown=0, token="", actor=None, now=DAY, at_once=True
        )
        used(tenant, DAY.date(), 5_000)
        used(tenant, NEXT_DAY.date(), 1_000)
        (row,) = extension_rows(tenant=tenant, now=NEXT_DAY)
        assert (row.used, row.left) == (33, 67)
        with pytest.raises(Refused, match="used"):
            services.order_take_back(order=pack, actor=None, now=NEXT_DAY)
        close_settled(SECOND)
        for minutes in (0, 5):
            periods_close(now=SECOND + timedelta(minutes=minutes))
        grant = QuotaGrant.objects.get()
        assert (grant.used_requests, grant.expired_requests) == (33, 67)
        usage = Invoice.objects.get(tenant=tenant, kind=InvoiceKind.USAGE)
        assert [(line.quantity, line.amount) for line in usage.lines.all()] == [
            (1_000, 0),
            (5_000, 10_00),
        ]
        bought = Invoice.objects.filter(tenant=tenant, kind=InvoiceKind.ORDER).order_by("id")
        assert [invoice.total for invoice in bought] == [6_77, 1_00]
        assert fees(tenant) == []
        assert prove().is_proved

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

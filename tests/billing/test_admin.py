"""The operator's acts: prices by tier, another try at a card, a replayed event, a PDF."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import services
from billing.forms import NewPriceForm, TiersField
from billing.models import (
    AutoTopUp,
    Customer,
    EventStatus,
    ExtensionPack,
    Invoice,
    InvoiceState,
    OrderState,
    Plan,
    PriceVersion,
    SpendingCap,
    StripeEvent,
    Subscription,
)
from billing.services.events import events_failed
from billing.tiers import Tier
from tenants.models import AuditEntry, Meter, User
from tests.billing.conftest import SignUpCall, buy, close_and_collect, subscribe
from tests.billing.dunned import FIRST
from tests.billing.orders import extension
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(shop: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator@example.com", PASSWORD))
    return client


def act(operator: Client, model: str, action: str, row: Any) -> str:
    """Choose an action for one row of a list; return what the page then says."""
    answer = operator.post(
        reverse(f"admin:billing_{model}_changelist"),
        {"action": action, "_selected_action": [row.pk]},
        follow=True,
    )
    return " ".join(str(message) for message in answer.context["messages"])


class TestPrices:
    def form(self, plan: Plan, **more: object) -> NewPriceForm:
        kept = {name: getattr(plan, name) for name in ("code", "name", "overage", "position")}
        return NewPriceForm(
            {**kept, "usage_plan": plan.usage_plan_id, **more}, instance=plan
        )  # fmt: skip

    def test_new_tiers_are_a_new_version_and_old_subscriptions_keep_theirs(
        self, operator: Client, sign_up: SignUpCall
    ) -> None:
        subscribe(sign_up, "payg")
        plan = Plan.objects.get(code="payg")
        address = reverse("admin:billing_plan_change", args=[plan.pk])
        page = operator.get(address)
        assert "100000" in page.content.decode()  # the steps are shown
        data = {"new_currency": "USD", "new_monthly_fee": "0", "new_tiers": "1000 0\n* 0.25"}
        for field in page.context["adminform"].form:
            value = field.value()
            data.setdefault(field.html_name, "" if value in {None, False} else value)
        for formset in page.context["inline_admin_formsets"]:
            for field in formset.formset.management_form:
                data[field.html_name] = field.value()
        assert operator.post(address, data).status_code == 302
        price = PriceVersion.objects.get(plan=plan, currency="USD", number=2)
        steps = price.tiers.values_list("up_to", "unit_amount")
        assert list(steps) == [(1000, Decimal(0)), (None, Decimal("0.25"))]
        assert Subscription.objects.get(plan=plan).price.number == 1
        entry = AuditEntry.objects.filter(action="price.set").latest("id")
        assert entry.actor is not None
        assert (entry.target, entry.data["number"]) == ("payg USD", 2)

    def test_without_new_tiers_the_old_ones_stay(self, shop: None) -> None:
        form = self.form(Plan.objects.get(code="payg"), new_currency="JPY", new_monthly_fee=100)
        assert form.is_valid(), form.errors
        assert form._steps("JPY") == {Meter.REQUESTS: [
            Tier(1_000, Decimal(0)), Tier(100_000, Decimal("0.3")), Tier(None, Decimal("0.15"))
        ]}  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("1000 0", "begins with *"),
            ("* 1\n1000 2", "begins with *"),
            ("* 1\n* 2", "begins with *"),
            ("1000 0\n1000 1\n* 2", "reach further"),
            ("1000 0\n10 1\n* 2", "reach further"),
            ("many 1\n* 2", "“many 1”"),
            ("10\n* 2", "“10”"),
            ("* NaN", "no such price"),
            ("* -1", "no such price"),
            ("* 1e9", "no such price"),
            ("* 0.00001", "four decimals"),
            ("0 1\n* 2", "holds nothing"),
        ],
    )
    def test_bad_tiers_are_told(self, text: str, problem: str) -> None:
        field = TiersField(required=False)
        with pytest.raises(ValidationError, match=re.escape(problem)):
            field.clean(text)

    def test_a_plan_priced_by_tiers_needs_some(self, shop: None) -> None:
        plan = Plan.objects.get(code="payg")
        form = NewPriceForm(
            {
                "code": "metered", "name": "Metered", "usage_plan": plan.usage_plan_id,
                "position": 9, "overage": "priced", "new_currency": "USD", "new_monthly_fee": 0,
            }
        )  # fmt: skip
        assert "free" in str(form.errors["new_tiers"])

    def test_what_no_card_is_charged_is_refused(self, shop: None, operator: Client) -> None:
        starter, payg = Plan.objects.get(code="starter"), Plan.objects.get(code="payg")
        small = self.form(starter, new_currency="USD", new_monthly_fee=49, new_setup_fee=1)
        assert small.errors == {
            "new_monthly_fee": ["Cards are charged no less than $0.50."],
            "new_setup_fee": ["Cards are charged no less than $0.50."],
        }
        assert self.form(starter, new_currency="USD", new_monthly_fee=50).is_valid()
        assert self.form(payg, new_currency="JPY", new_monthly_fee=0, new_setup_fee=50).is_valid()
        pack = ExtensionPack.objects.get(code="extra-100")
        yen = pack.prices.get(currency="JPY")
        prices = {"prices-TOTAL_FORMS": 1, "prices-INITIAL_FORMS": 1}
        row = {"prices-0-id": yen.pk, "prices-0-pack": pack.pk, "prices-0-currency": "JPY"}
        kept = {"code": "extra-100", "name": "Extra", "requests": 100, "unused": "expire"}
        address = reverse("admin:billing_extensionpack_change", args=[pack.pk])
        for amount, answered in ((49, 200), (50, 302)):
            posted = operator.post(address, {**prices, **row, **kept, "prices-0-amount": amount})
            assert posted.status_code == answered
            assert ("no less than ¥50." in posted.content.decode()) == (answered == 200)
        yen.refresh_from_db()
        assert yen.amount == 50

    @pytest.mark.parametrize("half", [{"new_currency": "USD"}, {"new_monthly_fee": 1}])
    def test_half_a_price_is_none(self, shop: None, half: dict[str, object]) -> None:
        form = self.form(Plan.objects.get(code="starter"), **half)
        assert "both a currency and a fee" in str(form.non_field_errors())


def test_another_try_at_a_card(operator: Client, sign_up: SignUpCall) -> None:
    subscribe(sign_up)
    Customer.objects.update(payment_method_id="pm_card_visa_chargeDeclined")
    close_and_collect(FIRST)
    invoice = Invoice.objects.get(kind="fee")
    assert "failed" in act(operator, "invoice", "collect", invoice)
    Customer.objects.update(payment_method_id="pm_card_visa")
    assert "succeeded" in act(operator, "invoice", "collect", invoice)
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID
    assert "not open" in act(operator, "invoice", "collect", invoice)
    address = reverse("admin:billing_invoice_pdf", args=[invoice.pk])
    assert operator.get(address).content.startswith(b"%PDF")
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    operator.force_login(clerk)
    assert operator.get(address).status_code == 403
    clerk.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    assert operator.get(address).status_code == 200


def test_a_failed_event_is_ignored_for_a_reason_until_it_is_replayed(operator: Client) -> None:
    now = timezone.now()
    failed, processed = (
        StripeEvent.objects.create(
            event_id=f"evt_{status}", type="invoice.paid", object_id="in_1", status=status,
            error="get invoice: gone", received_at=now,
        )
        for status in (EventStatus.FAILED, EventStatus.PROCESSED)
    )  # fmt: skip
    assert list(events_failed(now=now)) == [failed]
    address = reverse("admin:billing_stripeevent_changelist")
    chosen = {"action": "ignore", "_selected_action": [failed.pk, processed.pk]}
    assert "They can still be processed again." in operator.post(address, chosen).content.decode()
    assert (
        "This field is required."
        in operator.post(address, {**chosen, "answered": "yes"}).content.decode()
    )
    answer = operator.post(
        address, {**chosen, "answered": "yes", "reason": "A test of ours"}, follow=True
    )
    said = " ".join(str(message) for message in answer.context["messages"])
    assert "1 event ignored." in said
    assert "evt_processed: It did not fail" in said
    failed.refresh_from_db()
    assert (failed.status, failed.ignored_reason, failed.error) == (
        EventStatus.IGNORED, "A test of ours", "get invoice: gone"
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="stripe_event.ignored")
    assert entry.actor == failed.ignored_by == User.objects.get()
    assert (entry.target, entry.data) == ("evt_failed", {"reason": "A test of ours"})
    assert list(events_failed(now=now)) == []
    assert "1 event processed." in act(operator, "stripeevent", "replay", failed)
    failed.refresh_from_db()
    assert (failed.ignored_reason, failed.error) == ("", "")
    assert failed.ignored_by is None


def test_who_may_only_view_ignores_no_event(client: Client) -> None:
    viewer = User.objects.create_user("viewer@example.com", PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_stripeevent"))
    client.force_login(viewer)
    event = StripeEvent.objects.create(
        event_id="evt_1", type="a", object_id="1", status=EventStatus.FAILED,
        received_at=timezone.now(),
    )  # fmt: skip
    act(client, "stripeevent", "ignore", event)
    event.refresh_from_db()
    assert event.status == EventStatus.FAILED


def test_a_replayed_event_settles_its_order(operator: Client, sign_up: SignUpCall) -> None:
    order = buy(extension(sign_up("free").tenant, now=timezone.now()))
    event = StripeEvent.objects.create(
        event_id="evt_1",
        type="checkout.session.completed",
        object_id=order.checkout_session_id,
        status=EventStatus.FAILED,
        received_at=timezone.now(),
    )
    assert "1 event processed." in act(operator, "stripeevent", "replay", event)
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED


class TestControls:
    def test_an_operator_lifts_a_cap_and_turns_a_top_up_off_and_a_viewer_does_not(
        self, operator: Client, sign_up: SignUpCall
    ) -> None:
        tenant, now = subscribe(sign_up, "payg"), timezone.now()
        cap = services.cap_set(tenant=tenant, amount=50_00, actor=None, now=now)
        top_up = AutoTopUp.objects.create(
            tenant=tenant, pack=ExtensionPack.objects.earliest("pk"), percent=10,
            most_per_period=1, set_at=now,
        )  # fmt: skip
        page = operator.get(reverse("admin:billing_spendingcap_changelist")).content.decode()
        assert "$50.00" in page
        clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
        may_view = Permission.objects.filter(codename__in=["view_spendingcap", "view_autotopup"])
        clerk.user_permissions.set(may_view)
        viewer = Client()
        viewer.force_login(clerk)
        for browser in (viewer, operator):
            act(browser, "autotopup", "turn_off", top_up)
            act(browser, "spendingcap", "lift", cap)
            top_up.refresh_from_db()
            is_there = SpendingCap.objects.filter(pk=cap.pk).exists()
            assert is_there == top_up.is_on == (browser is viewer)
        done = AuditEntry.objects.filter(action__in=["spending_cap.lifted", "top_up.stopped"])
        assert {entry.actor.email for entry in done if entry.actor} == {"operator@example.com"}
        assert done.count() == 2

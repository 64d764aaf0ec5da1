"""A tenant that leaves is billed up to the day, charged once, and forgotten by Stripe."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import stripe

from billing import payments, services
from billing.mail_files import LAST_INVOICES
from billing.models import (
    AutoTopUp,
    Customer,
    ExtensionPack,
    Invoice,
    InvoiceKind,
    InvoiceState,
    OrderState,
    PlanChange,
    PriceVersion,
    SavedCard,
    Subscription,
    SubscriptionState,
    TaxDetails,
)
from billing.payments import PaymentUnavailable
from billing.services import leaving
from tenants.errors import NotInThisState
from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    LeavingPart,
    Mail,
    Meter,
    Tenant,
    UsageDay,
    User,
)
from tenants.services import leaving_end, tenant_keep, tenant_leave
from tenants.services.mails import message
from tests.billing.books import balances
from tests.billing.conftest import (
    BACK,
    SignUpCall,
    close_and_collect,
    pay,
    start,
    stripe_client,
    subscribe,
)
from tests.billing.deaths import killed

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = datetime(2026, 12, 10, 12, tzinfo=UTC)
OVER = ASKED + timedelta(days=7)
SETTLED = OVER + timedelta(hours=6)


def read(tenant: Tenant, used: int, *, on: date, at: datetime) -> None:
    """Let the gateway's answer be that so many requests passed on a day."""
    tenant.refresh_from_db()
    mirror = GatewayPlan.objects.get(usage_plan=tenant.usage_plan, slot="primary")
    UsageDay.objects.update_or_create(
        tenant=tenant, version=ApiKeyVersion.objects.get(api_key__tenant=tenant),
        gateway_plan=mirror, meter=Meter.REQUESTS, day=on, defaults={"used": used, "read_at": at},
    )  # fmt: skip
    GatewayPlan.objects.filter(pk=mirror.pk).update(read_at=at)


def go_on(now: datetime) -> bool:
    """Sweep once; return whether this app's part is done."""
    leaving_end.leaving_sweep(now=now)
    leaving.leaving_sweep(now=now)
    return LeavingPart.objects.get(app="billing").done_at is not None


@pytest.fixture
def payg(sign_up: SignUpCall) -> Tenant:
    """A tenant that pays by use, with a card, and 5,000 requests on the day before it asked."""
    tenant = subscribe(sign_up, "payg")
    TaxDetails.objects.create(
        tenant=tenant, legal_name="Alice", address="1 Road", country="US", saved_at=ASKED
    )
    tenant_leave(tenant=tenant, actor=None, now=ASKED)
    read(tenant, 5_000, on=date(2026, 12, 9), at=OVER)
    return tenant


def test_what_was_used_is_invoiced_and_charged_and_then_all_goes(payg: Tenant) -> None:
    customer = Customer.objects.get(tenant=payg)
    stripe_id = customer.stripe_id
    pack = ExtensionPack.objects.get(code="extra-100")
    AutoTopUp.objects.create(tenant=payg, pack=pack, percent=9, most_per_period=1, set_at=ASKED)
    assert not go_on(OVER)  # the figure may still move
    waits_for = LeavingPart.objects.get(app="billing").waits_for
    assert waits_for == "usage of 2026-11 to settle, usage of 2026-12 to settle"
    read(payg, 5_000, on=date(2026, 12, 9), at=SETTLED)
    assert go_on(SETTLED)
    invoice = Invoice.objects.get(kind=InvoiceKind.USAGE, period_start=date(2026, 12, 1))
    assert (invoice.total, invoice.state) == (8_00, InvoiceState.PAID)
    assert invoice.buyer["name"] == "Alice"
    subscription = Subscription.objects.get(tenant=payg, plan__code="payg")
    assert (subscription.state, subscription.ends_on) == (SubscriptionState.CANCELLED, OVER.date())
    customer.refresh_from_db()
    assert (customer.stripe_id, customer.payment_method_id) == ("", "")
    for kind in (SavedCard, TaxDetails, AutoTopUp):
        assert not kind.objects.exists()
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        stripe_client().v1.customers.retrieve(stripe_id)
    # The months' run finds nothing more of it, ever.
    assert close_and_collect(datetime(2027, 1, 3, tzinfo=UTC)).written == []
    assert set(balances()) == {"stripe", "revenue"}
    told = message(Mail.objects.get(kind=LAST_INVOICES))
    assert told.to == ["owner@example.org"]
    assert f"{invoice.number}: $8.00\n" in told.body
    ((name, pdf, media_type),) = told.attachments
    assert (name, media_type) == (f"{invoice.number}.pdf", "application/pdf")
    assert pdf.startswith(b"%PDF")


def test_while_the_gateway_cannot_be_read_nothing_is_billed_and_operators_are_told_once(
    payg: Tenant, admin_user: User
) -> None:
    for days in (0, 2, 3, 4, 150):
        assert not go_on(OVER + timedelta(days=days))
        LeavingPart.objects.filter(app="conversions").update(done_at=OVER)
        assert Mail.objects.filter(kind="tenants.leaving_waits").count() == (days > 2)
    assert not Invoice.objects.exists()
    told = message(Mail.objects.get(kind="tenants.leaving_waits"))
    assert told.to == [admin_user.email]
    assert "usage of 2026-12 to settle" in told.body
    assert "/admin/tenants/leavingpart/" in told.body
    later = OVER + timedelta(days=151)
    for hours in (0, 6):
        read(payg, 5_500, on=date(2026, 12, 9), at=later + timedelta(hours=hours))
        is_done = go_on(later + timedelta(hours=hours))
    assert is_done
    assert Invoice.objects.get().total == 9_00


def test_an_invoice_that_cannot_be_collected_stays_owed_and_nobody_is_dunned(payg: Tenant) -> None:
    card = SavedCard.objects.get(customer__tenant=payg)
    payments.card_detach(payment_method_id=card.stripe_id)
    go_on(OVER)
    read(payg, 5_000, on=date(2026, 12, 9), at=SETTLED)
    assert go_on(SETTLED)
    assert Invoice.objects.get(kind=InvoiceKind.USAGE).state == InvoiceState.OPEN
    assert ": $8.00 – $8.00 is not paid" in message(Mail.objects.get(kind=LAST_INVOICES)).body
    run = services.dun(now=SETTLED + timedelta(days=30))
    assert (run.opened, run.taken, run.failed) == ([], [], {})


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_death_at_each_call_to_stripe_is_gone_on_from(
    payg: Tenant, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(OVER)
    read(payg, 5_000, on=date(2026, 12, 9), at=SETTLED)
    for name in ("intent_create", "customer_delete"):
        with monkeypatch.context() as patch:
            patch.setattr(payments, name, dying(getattr(payments, name), dies))
            assert not go_on(SETTLED)
    assert go_on(SETTLED + timedelta(minutes=11))
    invoice = Invoice.objects.get(kind=InvoiceKind.USAGE)
    assert (invoice.state, invoice.amount_paid) == (InvoiceState.PAID, 8_00)
    (intent,) = (
        each
        for each in stripe_client().v1.payment_intents.list({"limit": 20}).data
        if each.metadata.to_dict().get("invoice") == str(invoice.uuid)
    )
    assert intent.amount_received == 8_00


def dying(call: Callable[..., object], when: str) -> Callable[..., object]:
    def die(**given: object) -> object:
        if when == "after":
            call(**given)
        raise PaymentUnavailable("no answer")

    return die


def test_what_comes_to_nothing_is_not_waited_for_and_a_trial_costs_nothing(payg: Tenant) -> None:
    """It asked in a trial, whose fee and setup fee, and usage, would have come after it."""
    held = Subscription.objects.filter(tenant=payg, plan__code="payg")
    held.update(trial_ends_on=date(2026, 12, 20), fee_from=date(2026, 12, 20), owes_setup=True)
    price = PriceVersion.objects.filter(pk=held.get().price_id)
    price.update(monthly_fee=9_00, setup_fee=10_00)
    assert go_on(OVER)
    for day in (20, 31):  # the months' run finds nothing to bill a tenant that is gone
        assert close_and_collect(datetime(2026, 12, day, 6, tzinfo=UTC)).written == []
    assert close_and_collect(datetime(2027, 1, 3, tzinfo=UTC)).written == []
    assert not Invoice.objects.exists()


def test_a_setup_fee_that_was_billed_keeps_nobody(payg: Tenant) -> None:
    """Without a monthly fee, nothing comes of later months: no invoice is ever written."""
    Subscription.objects.filter(tenant=payg, plan__code="payg").update(
        fee_from=date(2026, 10, 1), owes_setup=True
    )
    go_on(OVER)
    read(payg, 5_000, on=date(2026, 12, 9), at=SETTLED)
    assert go_on(SETTLED)


def test_an_open_page_keeps_no_card_from_being_charged(payg: Tenant) -> None:
    """Somebody opened the page of November's invoice, and left it there."""
    read(payg, 5_000, on=date(2026, 11, 25), at=OVER)
    services.close_month(now=OVER)
    read(payg, 5_000, on=date(2026, 11, 25), at=SETTLED)
    services.close_month(now=SETTLED)
    november = Invoice.objects.get()
    services.invoice_checkout(invoice=november, success_url=BACK, cancel_url=BACK, now=SETTLED)
    go_on(SETTLED)
    later = SETTLED + timedelta(hours=6)
    read(payg, 5_000, on=date(2026, 12, 9), at=later)
    assert go_on(later)
    november.refresh_from_db()
    assert november.state == InvoiceState.PAID


def test_no_fee_comes_while_it_leaves_and_it_comes_once_it_stays(starter: Tenant) -> None:
    asked = datetime(2026, 11, 28, tzinfo=UTC)
    first = datetime(2026, 12, 1, 6, tzinfo=UTC)
    tenant_leave(tenant=starter, actor=None, now=asked)
    assert close_and_collect(first).written == []
    tenant_keep(tenant=starter, actor=None, now=first)
    (fee,) = close_and_collect(first + timedelta(hours=1)).written
    assert (fee.kind, fee.total) == (InvoiceKind.FEE, 29_00)


def test_what_was_to_come_is_given_up(starter: Tenant) -> None:
    """A change of plan, a page that is open, and one that was paid all the same."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    services.plan_change(tenant=starter, plan_code="free", shown=0, token="a", actor=None, now=now)
    order = services.extension_order(
        tenant=starter, pack_code="extra-100", token="b", actor=None, now=now
    )
    page = start(order, now=now)
    tenant_leave(tenant=starter, actor=None, now=now)
    with pytest.raises(NotInThisState):
        services.extension_order(
            tenant=starter, pack_code="extra-100", token="c", actor=None, now=now
        )
    leaving.tenant_closing(tenant=starter, now=now)
    assert PlanChange.objects.get().state == "withdrawn"
    pay(page)
    order.refresh_from_db()
    order = services.order_check(order=order, now=now)
    assert order.state == OrderState.REFUND_DUE
    assert not go_on(now + timedelta(days=7))  # what goes back has not gone yet
    assert "a refund on its way" in LeavingPart.objects.get(app="billing").waits_for
    services.order_refund(order=order, now=now)
    assert go_on(now + timedelta(days=7))


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_death_while_pages_are_closed_and_money_goes_back_is_gone_on_from(
    starter: Tenant, dies: str
) -> None:
    """Two packs were to be bought: one page was left open, the other paid after all."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    over = now + timedelta(days=7)
    left, paid = (
        services.extension_order(
            tenant=starter, pack_code="extra-100", token=token, actor=None, now=now
        )
        for token in ("left", "paid")
    )
    before = balances()["stripe"]
    start(left, now=now)
    pay(start(paid, now=now))
    tenant_leave(tenant=starter, actor=None, now=now)
    leaving_end.leaving_sweep(now=over)
    for name in ("checkout_expire", "checkout_get"):
        with killed(dies, name):
            leaving.leaving_sweep(now=over)
    assert not go_on(over)
    paid.refresh_from_db()
    with killed(dies, "refund_create"):
        services.order_refund(order=paid, now=over)
    assert not go_on(over)
    services.order_refund(order=paid, now=over)
    assert go_on(over)
    for order, state in ((left, OrderState.EXPIRED), (paid, OrderState.REFUNDED)):
        order.refresh_from_db()
        assert order.state == state
    (refund,) = (
        each
        for each in stripe_client().v1.refunds.list({"limit": 20}).data
        if each.payment_intent == paid.payment_intent_id
    )
    assert refund.amount == paid.amount
    assert balances()["stripe"] == before

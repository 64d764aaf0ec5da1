"""Whole flows die before each of their calls to Stripe and each of their commits, in turn. A day
later, when Stripe has forgotten the idempotency keys, who did it does it again, and the sweeps run:
it happened once, and the books say what Stripe says.

To die after a call is to die before the next one: nothing happens in between.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from billing import services
from billing.models import (
    Customer,
    Invoice,
    InvoiceKind,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
    SavedCard,
    Subscription,
    SubscriptionState,
)
from billing.models.orders import UNPAID
from billing.proof import prove
from billing.services import cards, refunds
from billing.services.credit_notes import credit_note_issue
from tenants.models import QuotaGrant, Tenant, User
from tests.billing.books import balances, issued
from tests.billing.conftest import stripe_client
from tests.billing.dunned import ASKS, GOOD, use_card
from tests.billing.saved_cards import save
from tests.billing.simulation import beat
from tests.billing.simulation.crashes import Crashes, Died, How
from tests.billing.simulation.world import GOOD as TYPED
from tests.billing.simulation.world import World, pages
from tests.services import local_payments_running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("watched")]

BEGIN = datetime(2026, 11, 3, 9, tzinfo=UTC)
FORGOTTEN = timedelta(hours=25)


@pytest.fixture
def world(transactional_db: None, valkey: str, tmp_path: Path) -> Iterator[World]:
    with (
        local_payments_running(tmp_path) as stripe,
        httpx.Client(base_url=stripe.url, trust_env=False) as browser,
    ):
        yield World(browser, BEGIN)


@dataclass(frozen=True)
class Flow:
    """What is there before, what somebody does, perhaps again, and what has come of it then."""

    before: Callable[[World, Tenant], None]
    act: Callable[[World, Tenant], None]
    is_done: Callable[[Tenant], bool]


def test_it_happens_once_wherever_we_die(world: World) -> None:
    begun: list[tuple[str, int, Tenant]] = []
    for name, flow in FLOWS.items():
        for at in count(1):
            tenant = sign_up(world, f"{name}-{at}")
            flow.before(world, tenant)
            begun.append((name, at, tenant))
            try:
                with Crashes.patched(How.DIES_BEFORE, at):
                    flow.act(world, tenant)
            except Died:
                continue
            break
    world.wait(FORGOTTEN)
    beat.run(world, beat.NOTHING)
    for name, _at, tenant in begun:
        FLOWS[name].act(world, tenant)
    for _settling in range(2):
        world.wait(timedelta(hours=1))
        beat.run(world, beat.NOTHING)
    assert [(name, at) for name, at, tenant in begun if not FLOWS[name].is_done(tenant)] == []
    assert prove().is_proved
    on = balances()
    assert on["stripe"] + on["fees"] == at_stripe()


def sign_up(world: World, name: str) -> Tenant:
    return services.sign_up(
        user=User.objects.create_user(f"{name}@example.org", "barrier-station-53"),
        organization=name, plan_code="free", currency="USD", now=world.now, language="en",
    ).tenant  # fmt: skip


def at_stripe() -> int:
    """Return what is at Stripe of all charges, less what went back."""
    charges = stripe_client().v1.charges.list({"limit": 100}).auto_paging_iter()
    return sum(each.amount - each.amount_refunded for each in charges if each.paid)


# --- What there is before ---


def nothing(world: World, tenant: Tenant) -> None:
    """The tenant is on the free plan, and Stripe does not know it."""


def card(world: World, tenant: Tenant) -> None:
    save(tenant, now=world.now)


def open_invoice(world: World, tenant: Tenant) -> None:
    card(world, tenant)
    issued(tenant, 30_00, now=world.now)


def asked(world: World, tenant: Tenant) -> None:
    """The bank wants the cardholder, who then takes another card."""
    open_invoice(world, tenant)
    use_card(tenant, ASKS)
    services.invoice_collect(invoice=tenant.invoices.get(), now=world.now)
    use_card(tenant, GOOD)


def paid(world: World, tenant: Tenant) -> None:
    open_invoice(world, tenant)
    services.invoice_collect(invoice=tenant.invoices.get(), now=world.now)


def undeliverable(world: World, tenant: Tenant) -> None:
    """A pack is paid, and its plan ends before anybody tells of it."""
    card(world, tenant)
    order = pack_ordered(world, tenant)
    world.pay(services.checkout_start(order=order, now=world.now, **pages()), TYPED)
    services.plan_change(
        tenant=tenant, plan_code="payg", shown=0, token="", actor=None, now=world.now
    )


# --- What is done ---


def plan(world: World, tenant: Tenant) -> None:
    if plan_is_held(tenant):
        return
    waiting = Order.objects.filter(tenant=tenant, state__in=UNPAID).first()
    if waiting is None:
        wanted: dict[str, Any] = {"tenant": tenant, "plan_code": "starter", "now": world.now}
        shown = services.plan_offer(**wanted).amount
        waiting = services.plan_change(**wanted, shown=shown, token="", actor=None)
    assert waiting is not None
    to_checkout(world, waiting)


def pack(world: World, tenant: Tenant) -> None:
    to_checkout(world, pack_ordered(world, tenant))


def pack_ordered(world: World, tenant: Tenant) -> Order:
    return services.extension_order(
        tenant=tenant, pack_code="extra-100", token="1", actor=None, now=world.now
    )


def to_checkout(world: World, order: Order) -> None:
    url = services.checkout_start(order=order, now=world.now, **pages())
    if url:
        world.pay(url, TYPED)
    order.refresh_from_db()
    services.order_check(order=order, now=world.now)


def collect(world: World, tenant: Tenant) -> None:
    services.invoice_collect(invoice=tenant.invoices.get(), now=world.now)


def try_again(world: World, tenant: Tenant) -> None:
    services.invoice_retry(invoice=tenant.invoices.get(), now=world.now)


def pay_now(world: World, tenant: Tenant) -> None:
    invoice = tenant.invoices.get()
    url = services.invoice_checkout(invoice=invoice, now=world.now, **pages())
    if url:
        world.pay(url, TYPED)
    services.invoice_check(invoice=invoice, now=world.now)


def pay_back(world: World, tenant: Tenant) -> None:
    invoice = tenant.invoices.exclude(kind=InvoiceKind.CREDIT_NOTE).get()
    note = invoice.credit_notes.first() or credit_note_issue(
        invoice=invoice, amount=10_00, reason="", actor=None, now=world.now
    )
    refunds.credit_note_refund(credit_note=note, actor=None, now=world.now)
    for refund in Refund.objects.filter(payment__invoice=invoice):
        refunds.refund_send(refund=refund, now=world.now)


def order_refunded(world: World, tenant: Tenant) -> None:
    order = Order.objects.get(tenant=tenant, pack__isnull=False)
    order = services.order_check(order=order, now=world.now)
    services.order_refund(order=order, now=world.now)


def card_gone(world: World, tenant: Tenant) -> None:
    for saved in SavedCard.objects.filter(customer__tenant=tenant):
        services.card_remove(card=saved, now=world.now)
        saved.refresh_from_db()
        cards.card_detach(card=saved)


# --- What has come of it ---


def plan_is_held(tenant: Tenant) -> bool:
    active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
    return active.plan.code == "starter"


def plan_is_paid_once(tenant: Tenant) -> bool:
    return plan_is_held(tenant) and tenant.invoices.get().state == "paid"


def pack_is_granted_once(tenant: Tenant) -> bool:
    grant = QuotaGrant.objects.get(entitlement__tenant=tenant)
    return grant.requests == 100 and tenant.invoices.get().state == "paid"


def invoice_is_paid_once(tenant: Tenant) -> bool:
    invoice: Invoice = tenant.invoices.get()
    succeeded = Payment.objects.filter(
        invoice=invoice, method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED
    )
    return invoice.state == "paid" and succeeded.get().amount == 30_00


def is_paid_back_once(tenant: Tenant) -> bool:
    refund = Refund.objects.get(payment__invoice__tenant=tenant)
    return (refund.state, refund.amount) == (RefundState.SUCCEEDED, 10_00)


def order_is_refunded(tenant: Tenant) -> bool:
    order = Order.objects.get(tenant=tenant, pack__isnull=False)
    return order.state == OrderState.REFUNDED


def card_is_detached(tenant: Tenant) -> bool:
    customer = Customer.objects.get(tenant=tenant).stripe_id
    attached = stripe_client().v1.payment_methods.list({"customer": customer})
    return not attached.data and not SavedCard.objects.filter(customer__tenant=tenant).exists()


FLOWS = {
    "plan": Flow(nothing, plan, plan_is_paid_once),
    "pack": Flow(nothing, pack, pack_is_granted_once),
    "collect": Flow(open_invoice, collect, invoice_is_paid_once),
    "try_again": Flow(asked, try_again, invoice_is_paid_once),
    "pay_now": Flow(open_invoice, pay_now, invoice_is_paid_once),
    "pay_back": Flow(paid, pay_back, is_paid_back_once),
    "order_refunded": Flow(undeliverable, order_refunded, order_is_refunded),
    "card_gone": Flow(card, card_gone, card_is_detached),
}

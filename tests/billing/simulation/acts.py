"""What tenants, operators, Stripe, the gateway and the clock do. Each is what a service offers.

An act may be refused, or fail: then it did nothing, or something that the sweeps find.
"""

from datetime import UTC, datetime, timedelta

from billing import services
from billing.balances import refundable
from billing.models import (
    Customer,
    EventStatus,
    ExtensionPack,
    Invoice,
    InvoiceKind,
    Order,
    OrderPurpose,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    Plan,
    PriceVersion,
    SavedCard,
    StripeEvent,
    Subscription,
    SubscriptionState,
)
from billing.models.orders import UNPAID
from billing.services import refunds
from billing.services.bank import bank_transfer_record
from billing.services.credit_notes import credit_note_issue
from billing.usage_prices import steps_of
from tests.billing.books import write_off
from tests.billing.conftest import deliver
from tests.billing.simulation.world import GOOD, VISA, Draw, World, pages

GOODWILL = "goodwill"  # why an operator credits; all other credit notes the rules ask for
# Good ones, declined, one whose bank asks, one whose refunds take time, and one where they fail.
_TYPED = (
    GOOD, GOOD, "5555555555554444", "4000000000000002", "4000002760003184", "4000000000007726",
    "4000000000005126",
)  # fmt: skip
_SAVED = (VISA, "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
_WAITS = (
    timedelta(minutes=20), timedelta(hours=7), timedelta(hours=25), timedelta(days=4),
    timedelta(days=16),
)  # fmt: skip
_AWAY_AT_MOST = timedelta(days=45)


# --- Tenants ---


def change(world: World, draw: Draw) -> None:
    """Press the button of another plan, `free` among them, and perhaps pay at once."""
    tenant = draw.of(world.tenants)
    wanted = {
        "tenant": tenant,
        "plan_code": draw.of(Plan.objects.order_by("position")).code,
        "now": world.now,
        "at_once": draw.below(3) == 0,
    }
    shown = services.plan_offer(**wanted).amount
    order = services.plan_change(**wanted, shown=shown, token=world.form(), actor=None)  # fmt: skip
    if order is not None:
        _go_to_checkout(world, draw, order)


def keep(world: World, draw: Draw) -> None:
    services.plan_keep(tenant=draw.of(world.tenants), now=world.now)


def buy(world: World, draw: Draw) -> None:
    """Order a pack, and perhaps pay at once."""
    order = services.extension_order(
        tenant=draw.of(world.tenants),
        pack_code=draw.of(ExtensionPack.objects.order_by("requests")).code,
        token=world.form(), actor=None, now=world.now,
    )  # fmt: skip
    _go_to_checkout(world, draw, order)


def card_save(world: World, draw: Draw) -> None:
    order = services.card_order(
        tenant=draw.of(world.tenants), token=world.form(), actor=None, now=world.now
    )
    _go_to_checkout(world, draw, order)


def order_pay(world: World, draw: Draw) -> None:
    """Come back to an order that is not paid."""
    waiting = Order.objects.filter(state__in=UNPAID, is_top_up=False).order_by("-id")
    _go_to_checkout(world, draw, draw.of(waiting))


def _go_to_checkout(world: World, draw: Draw, order: Order) -> None:
    order.refresh_from_db()
    url = services.checkout_start(order=order, now=world.now, **pages())
    if url and draw.below(4) < 3:
        world.pay(url, draw.of(_TYPED), passes=draw.below(2) == 0)
        if draw.below(2):
            order_look(world, draw, order)


def order_look(world: World, draw: Draw, order: Order | None = None) -> None:
    """Come back from Checkout."""
    order = order or draw.of(Order.objects.filter(is_top_up=False).order_by("-id"))
    order.refresh_from_db()
    services.order_check(order=order, now=world.now)


def give_back(world: World, draw: Draw) -> None:
    packs = Order.objects.filter(purpose=OrderPurpose.EXTENSION, state=OrderState.FULFILLED)
    services.order_take_back(order=draw.of(packs.order_by("id")), actor=None, now=world.now)


def top_up_choose(world: World, draw: Draw) -> None:
    """Have packs be bought by themselves, or not any more."""
    tenant = draw.of(world.tenants)
    if draw.below(4) == 0:
        services.auto_top_up_stop(tenant=tenant, actor=None, now=world.now)
        return
    services.auto_top_up_set(
        tenant=tenant,
        pack_code=draw.of(ExtensionPack.objects.order_by("requests")).code, percent=99,
        most_per_period=1 + draw.below(3), actor=None, now=world.now,
    )  # fmt: skip


def invoice_pay(world: World, draw: Draw) -> None:
    """Press "Pay now", type a card in, and come back or not."""
    invoice = _invoice(draw)
    url = services.invoice_checkout(invoice=invoice, now=world.now, **pages())
    if url and draw.below(3) < 2:
        world.pay(url, draw.of(_TYPED), passes=draw.below(2) == 0)
        if draw.below(2):
            services.invoice_check(invoice=invoice, now=world.now)


def card_swap(world: World, draw: Draw) -> None:
    """Have another card be charged from now on, good or not."""
    Customer.objects.filter(tenant=draw.of(world.tenants)).update(payment_method_id=draw.of(_SAVED))


def card_remove(world: World, draw: Draw) -> None:
    card = draw.of(SavedCard.objects.filter(removed_at=None).order_by("id"))
    services.card_remove(card=card, now=world.now)


# --- Operators ---


def transfer(world: World, draw: Draw) -> None:
    """Money comes by bank: what is due, or another amount; or the last one is entered again."""
    invoice = _invoice(draw)
    world.references += draw.below(4) > 0
    bank_transfer_record(
        invoice=invoice, amount=(invoice.amount_due, 777, 3_001)[draw.below(3)], actor=None,
        reference=f"T{world.references}", received_on=world.today, now=world.now,
    )  # fmt: skip


def credit(world: World, draw: Draw) -> None:
    amount = (None, 101, 1_000)[draw.below(3)]
    credit_note_issue(
        invoice=_invoice(draw), amount=amount, reason=GOODWILL, actor=None, now=world.now
    )


def pay_back(world: World, draw: Draw) -> None:
    """Have credit go back to the card that paid."""
    paid = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    payment = draw.of(paid.order_by("id"))
    most = refundable(payment=payment, invoice=payment.invoice)
    refund = refunds.refund_request(
        payment=payment, amount=most - draw.below(2) * (most // 3), reason="", actor=None,
        now=world.now,
    )  # fmt: skip
    if draw.below(2):
        refunds.refund_send(refund=refund, now=world.now)


def pay_back_note(world: World, draw: Draw) -> None:
    notes = Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).order_by("id")
    refunds.credit_note_refund(credit_note=draw.of(notes), actor=None, now=world.now)


def give_up(world: World, draw: Draw) -> None:
    write_off(_invoice(draw), now=world.now)


def retry(world: World, draw: Draw) -> None:
    services.invoice_retry(invoice=_invoice(draw), now=world.now)


def reprice(world: World, draw: Draw) -> None:
    """Give a plan another fee, and perhaps move who has the old one."""
    latest = draw.of(PriceVersion.objects.filter(monthly_fee__gt=0).order_by("id"))
    plan, steps = latest.plan, steps_of(latest)
    services.price_set(
        plan=plan, currency=latest.currency, monthly_fee=latest.monthly_fee + 13,
        setup_fee=latest.setup_fee, trial_days=latest.trial_days, steps=steps, now=world.now,
    )  # fmt: skip
    if draw.below(2):
        active = Subscription.objects.filter(plan=plan, state=SubscriptionState.ACTIVE)
        services.price_moves_schedule(
            subscriptions=active.order_by("id"), actor=None, now=world.now,
            takes_effect_on=services.price_move_first_day(now=world.now),
        )  # fmt: skip


# --- Stripe, the gateway, the clock ---


def webhooks(world: World, draw: Draw) -> None:
    """Deliver some of what happened: dropped, doubled, and in another order."""
    waiting = world.events()
    step = 1 + draw.below(2)
    chosen = waiting[draw.below(2) :: step]
    if draw.below(2):
        chosen.reverse()
    if draw.below(2):
        world.told.update(event.id for event in waiting)  # the others never come
    if draw.below(3) == 0:
        chosen += chosen[:3]
    world.told.update(event.id for event in chosen)
    for event in chosen:
        deliver(event)
    for stored in StripeEvent.objects.filter(status=EventStatus.RECEIVED).order_by("-id"):
        services.event_process(event=stored, now=world.now)


def use(world: World, draw: Draw) -> None:
    """Requests come; late, they are of a day that is over, and may be fewer than was told."""
    tenant = draw.of(world.tenants)
    day = world.today - timedelta(days=(0, 0, 1, 9, 33)[draw.below(5)])
    by = (1_700, 40, 250_000, -90)[draw.below(4)]
    held = Subscription.objects.filter(tenant=tenant, starts_on__lte=day).exclude(ends_on__lt=day)
    world.use(tenant, draw.of(held.order_by("-starts_on", "-id")).plan.code, day, by)


def read(world: World, draw: Draw) -> None:
    world.read()


def wait(world: World, draw: Draw) -> None:
    """Time passes."""
    _wait(world, draw.of(_WAITS))


def _wait(world: World, delta: timedelta) -> None:
    """Wait; the gateway is read and months are closed before the close would look back no more."""
    if world.now + delta > world.closed_at + _AWAY_AT_MOST:
        for _reading in range(2):  # a month has settled once two are equal
            world.read()
            services.close_month(now=world.now)
            world.wait(timedelta(hours=7))
        world.closed_at = world.now
    world.wait(delta)


def wait_for_midnight(world: World, draw: Draw) -> None:
    """Go to the last seconds of a month, or to one of the first days of the next."""
    month_end = (world.today.replace(day=1) + timedelta(days=31)).replace(day=1)
    at = datetime.combine(month_end, datetime.min.time(), UTC)
    at += (timedelta(seconds=-1), timedelta(minutes=3), timedelta(hours=30))[draw.below(3)]
    _wait(world, max(at - world.now, timedelta(seconds=1)))


def _invoice(draw: Draw) -> Invoice:
    billed = Invoice.objects.exclude(kind=InvoiceKind.CREDIT_NOTE)
    invoice: Invoice = draw.of(billed.order_by("id"))
    return invoice


ALL = (
    change, keep, buy, card_save, order_pay, order_look, give_back, top_up_choose, invoice_pay,
    card_swap, card_remove, transfer, credit, pay_back, pay_back_note, give_up, retry, reprice,
    webhooks, use, read, wait, wait_for_midnight,
)  # fmt: skip

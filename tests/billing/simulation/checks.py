"""What must be true once everything is at rest."""

from collections import Counter
from itertools import pairwise
from typing import Any

from django.db.models import Q, QuerySet, Sum

from billing.balances import credit_balances
from billing.models import (
    Account,
    BilledUsage,
    Customer,
    Dispute,
    Entry,
    Invoice,
    InvoiceKind,
    Order,
    OrderPurpose,
    OrderState,
    PackPrice,
    Payment,
    PaymentState,
    Posting,
    Refund,
)
from tenants.models import Meter, QuotaGrant, Tenant
from tests.billing.conftest import stripe_client
from tests.billing.simulation import rules
from tests.billing.simulation.acts import GOODWILL
from tests.billing.simulation.held import caps_of, held_by, used_by
from tests.billing.simulation.rules import Held
from tests.billing.simulation.world import World


def check(world: World) -> None:
    """Compare everything that was billed, delivered and paid with what the rules say."""
    for tenant in world.tenants:
        held = held_by(tenant)
        _check_periods(held)
        _check_fees(tenant, rules.fees(held, world.today))
        used = used_by(world, tenant)
        _check_usage(tenant, rules.usage(held, used, world.today, caps_of(tenant)))
        _check_packs(tenant)
        _check_money(tenant)
    _check_gone()
    _check_taxes()
    _check_balance()
    assert world.differences == []


def check_credit(world: World) -> None:
    """Nobody has spent, or was paid back, more than there was."""
    for tenant in world.tenants:
        assert min(credit_balances(tenant=tenant).values(), default=0) >= 0


def _check_periods(held: list[Held]) -> None:
    """One plan at a time, without a gap, and one trial at most: for who had `free` alone."""
    for before, after in pairwise(held):
        assert before.ends == after.starts
    assert held[-1].ends == rules.ENDLESS
    paid = [each for each in held if each.plan != "free"]
    for each in paid[1:]:
        is_same = each.plan == paid[0].plan and each.trial_ends == paid[0].trial_ends
        assert each.trial_ends is None or is_same


def _check_fees(tenant: Tenant, due: int) -> None:
    """What was credited or written off of a fee is not taken back once more by a change."""
    of = Q(kind=InvoiceKind.FEE) | Q(kind=InvoiceKind.ORDER, order__subscription__isnull=False)
    invoices = Invoice.objects.filter(of, tenant=tenant)
    assert due <= _billed(invoices) <= due + _given_up(invoices), (tenant, due, _billed(invoices))


def _check_usage(tenant: Tenant, due: rules.Months) -> None:
    """Each request is billed once. What was given up is not credited once more."""
    rows = BilledUsage.objects.filter(subscription__tenant=tenant, meter=Meter.REQUESTS)
    newest = {
        (row.subscription_id, row.period_start): (row.quantity, row.amount)
        for row in rows.order_by("revision")
    }
    assert newest == due, tenant
    amount = sum(amount for _count, amount in due.values())
    kinds = [InvoiceKind.USAGE, InvoiceKind.SUPPLEMENT]
    invoices = Invoice.objects.filter(tenant=tenant, kind__in=kinds)
    billed = _billed(invoices)
    assert amount <= billed <= amount + _given_up(invoices), (tenant, amount, billed)


def _billed(invoices: QuerySet[Invoice]) -> int:
    """Return what invoices come to before tax, less what the rules took back of them."""
    notes = Invoice.objects.filter(corrects__in=invoices).exclude(note=GOODWILL)
    return _net(invoices) + _net(notes)


def _given_up(invoices: QuerySet[Invoice]) -> int:
    """Return what operators have credited or written off of invoices, before tax."""
    notes = Invoice.objects.filter(corrects__in=invoices, note=GOODWILL)
    losses = Posting.objects.filter(key__startswith="written-off:")
    return _net(invoices.filter(pk__in=losses.values("invoice"))) - _net(notes)


def _net(invoices: QuerySet[Invoice]) -> int:
    return sum(invoices.values_list("subtotal", flat=True))


def _check_packs(tenant: Tenant) -> None:
    """A pack that was paid is there or was paid back, never both and never neither."""
    for order in Order.objects.filter(tenant=tenant, purpose=OrderPurpose.EXTENSION):
        grant = QuotaGrant.objects.filter(source=f"order:{order.uuid}").first()
        invoice = Invoice.objects.filter(order=order).first()
        assert (grant is None) == (invoice is None), order
        if invoice is None:
            assert order.state in {OrderState.EXPIRED, OrderState.REFUNDED} or _waits(order), order
            continue
        assert grant is not None
        price = PackPrice.objects.get(pack=order.pack, currency=order.currency).amount
        assert invoice.subtotal == price
        assert order.state in {OrderState.FULFILLED, OrderState.REFUNDED}, order
        is_back = order.state == OrderState.REFUNDED
        assert is_back == (grant.withdrawn_at is not None)
        credited = sum(note.subtotal for note in invoice.credit_notes.all())
        assert credited == -price or not is_back


def _waits(order: Order) -> bool:
    """Say whether a refund failed at the bank: an operator has to see to it."""
    return order.state == OrderState.REFUND_DUE and order.decline_message != ""


def _check_money(tenant: Tenant) -> None:
    """What Stripe has of a tenant is what the books say, and everything that was paid is known."""
    moved = _disputed()
    customer = Customer.objects.get(tenant=tenant).stripe_id
    charges = stripe_client().v1.charges.list({"customer": customer, "limit": 100})
    at_stripe: Counter[str] = Counter()
    for charge in charges.auto_paging_iter():
        if charge.paid:
            at_stripe[charge.currency.upper()] += charge.amount - charge.amount_refunded
            at_stripe[charge.currency.upper()] += moved[charge.id]
            intent = str(charge.payment_intent)
            orders = Order.objects.filter(payment_intent_id=intent)
            paid = Payment.objects.filter(payment_intent_id=intent, state=PaymentState.SUCCEEDED)
            is_back = charge.refunded or charge.disputed or any(map(_waits, orders))
            assert paid.count() == 1 or (orders.exists() and is_back), charge
    entries = Entry.objects.filter(posting__tenant=tenant, account=Account.STRIPE)
    booked = entries.values_list("posting__currency").annotate(total=Sum("amount"))
    assert Counter(dict(booked.order_by())) == at_stripe


def _disputed() -> Counter[str]:
    """Return what disputes took and brought back, by their charge."""
    moved: Counter[str] = Counter()
    for dispute in stripe_client().v1.disputes.list({"limit": 100}).auto_paging_iter():
        moved[str(dispute.charge)] += sum(each.amount for each in dispute.balance_transactions)
    return moved


def _check_gone() -> None:
    """What went back of an invoice's payment at Stripe is known as it ended, whoever made it, but
    for one that moved nothing; so is what each dispute took for good.
    """
    for refund in stripe_client().v1.refunds.list({"limit": 100}).auto_paging_iter():
        paid = Payment.objects.filter(payment_intent_id=refund.payment_intent)
        if paid.exists() and refund.balance_transaction:
            told = Refund.objects.get(stripe_id=refund.id)
            is_ours = "refund" in (refund.metadata or {})
            assert (told.state, told.amount) == (refund.status, refund.amount), refund
            assert told.made_at_stripe != is_ours, refund
    moved = _disputed()
    for dispute in stripe_client().v1.disputes.list({"limit": 100}).auto_paging_iter():
        noted = Dispute.objects.get(stripe_id=dispute.id)
        taken = noted.amount - noted.reinstated if noted.withdrawn_at else 0
        assert (noted.status, taken) == (dispute.status, -moved[str(dispute.charge)]), dispute


def _check_balance() -> None:
    """What the books have at Stripe, after its fees and payouts, is Stripe's balance."""
    found: Any = stripe_client().v1.balance.retrieve()
    at_stripe: Counter[str] = Counter()
    for part in [*found.available, *found.pending]:
        at_stripe[part.currency.upper()] += part.amount
    entries = Entry.objects.filter(account=Account.STRIPE)
    booked = entries.values_list("posting__currency").annotate(total=Sum("amount"))
    assert dict(booked.order_by()) == at_stripe


def _check_taxes() -> None:
    """What is left of an invoice is taxed by its rate, 10 %, rounded once."""
    for invoice in Invoice.objects.exclude(kind=InvoiceKind.CREDIT_NOTE):
        parts = [invoice, *invoice.credit_notes.all()]
        net, tax = sum(each.subtotal for each in parts), sum(each.tax for each in parts)
        assert tax == (net + 5) // 10, invoice

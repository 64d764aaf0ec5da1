"""Disputes: noted as Stripe tells them, in whatever order that comes, each movement booked once.

The invoice stays paid: what was sold was sold. What we owe back of it, or of an order that could
not be delivered, is paid back by a lost dispute: nobody gets it twice. Operators are told by mail
when evidence is asked for; nothing changes for the tenant but that the payment is said to be
disputed, and that what it may get back by the bank is no credit to spend meanwhile.
"""

from datetime import datetime

from django.db import transaction

from billing import payments
from billing.models import Dispute, Invoice, Order, OrderState
from billing.models.disputes import ASKED, OVER
from billing.money import display
from billing.payments import StripeDispute
from billing.services.dispute_moves import movements
from billing.services.intents import orders_of, payment_of
from billing.services.ledger import post
from billing.services.locks import invoice_locked
from billing.services.set_offs import losses_set_off
from tenants.models import Tenant
from tenants.services import mail_operators


@transaction.atomic
def dispute_settle(*, found: StripeDispute, now: datetime) -> Dispute | None:
    """Note what Stripe says of a dispute. Idempotent; one that is over stays so.

    None where it is of no payment of ours, as far as we know.
    """
    payment, order = payment_of(found.payment_intent_id), order_of(found.payment_intent_id)
    if payment is not None:
        invoice: Invoice | None = invoice_locked(payment.invoice_id)
        tenant = payment.invoice.tenant
    elif order is not None:
        order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
        invoice, tenant = None, order.tenant
    else:
        return None
    Dispute.objects.get_or_create(
        stripe_id=found.id,
        defaults={
            "payment": payment,
            "order": None if payment else order,
            "payment_intent_id": found.payment_intent_id,
            "currency": found.currency,
            "amount": found.amount,
            "opened_at": found.opened_at,
        },
    )
    dispute = Dispute.objects.select_for_update().get(stripe_id=found.id)
    if dispute.closed_at is None or found.status in OVER:  # else the answer is an old one
        dispute.status, dispute.reason = found.status, found.reason[:60]
        dispute.is_charge_refundable = found.is_charge_refundable
        dispute.evidence_due_by = found.evidence_due_by
        if found.status in OVER:
            dispute.closed_at = dispute.closed_at or now
    if dispute.withdrawn_at is None:
        # An inquiry may be over less than what becomes of it.
        dispute.amount = found.withdrawn or found.amount
    if payment is None and not dispute.owed_back:
        dispute.order = order
    for kind, entries in movements(dispute, found, invoice, now):
        post(
            key=f"{kind}:{found.id}",
            entries=entries,
            currency=dispute.currency,
            now=now,
            tenant=tenant,
            invoice=invoice,
        )
    dispute.save()
    if invoice is not None:  # what is not disputed any more can be set off
        losses_set_off(invoice=invoice, now=now)
        dispute.refresh_from_db(fields=["owed_back"])
    if dispute.status in ASKED:
        _tell_operators(dispute, tenant, invoice, now)
    return dispute


def order_of(intent_id: str) -> Order | None:
    """Return the order without an invoice that is disputed; the one that is due, where a refund
    came back.
    """
    mine = orders_of(intent_id)
    return mine.filter(state=OrderState.REFUND_DUE).first() or mine.first()


def _tell_operators(
    dispute: Dispute, tenant: Tenant, invoice: Invoice | None, now: datetime
) -> None:
    """Mail that evidence is asked for; once more where an inquiry has become a dispute."""
    due_by = dispute.evidence_due_by
    mail_operators(
        tenant=tenant,
        permission="billing.view_payment",
        kind="billing.dispute_opened",
        key=f"{dispute.status}:{dispute.stripe_id}",
        context={
            "amount": display(dispute.amount, dispute.currency, language="en"),
            "number": invoice.number if invoice else "",
            "reason": dispute.reason,
            "due_by": f"{due_by:%Y-%m-%d %H:%M} UTC" if due_by else "",
            "page": payments.payment_page(payment_intent_id=dispute.payment_intent_id),
        },
        now=now,
    )

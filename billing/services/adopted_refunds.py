"""Refunds of an invoice's payment that somebody made at Stripe, in its dashboard say: taken into
the books as they are.

Nobody here decided on them, so the invoice stays paid, and what is not credit of it is a loss, as
with a dispute that is lost. An operator who finds that it was owed issues a credit note.
"""

from datetime import datetime

from django.db import transaction

import tenants.services
from billing.models import Payment, Refund, RefundState
from billing.payments import StripeRefund
from billing.services.locks import invoice_locked
from billing.services.refunds import refund_settle


@transaction.atomic
def refund_adopt(*, payment: Payment, found: StripeRefund, now: datetime) -> RefundState:
    """Note a refund that names none of ours, and what Stripe says of it. Idempotent."""
    invoice = invoice_locked(payment.invoice_id)
    refund, is_new = Refund.objects.get_or_create(
        stripe_id=found.id,
        defaults={
            "payment": payment,
            "amount": found.amount,
            "owed_back": 0,
            "made_at_stripe": True,
            "reason": found.reason,
            "created_at": now,
        },
    )
    if is_new:
        tenants.services.audit_record(
            action="refund.made_at_stripe",
            tenant=invoice.tenant,
            actor=None,
            now=now,
            target=invoice.number,
            amount=found.amount,
            currency=payment.currency,
            reason=found.reason,
        )
    return refund_settle(refund=refund, found=found, now=now)

"""Pay an open invoice at Checkout: to confirm with the bank, with another card, or without waiting.

One attempt at a time: what is under way is ended first, an open session is used again. Network, so
no transactions; nobody has a session's address before it is noted.
"""

from datetime import datetime

from billing import payments
from billing.models import Invoice, InvoiceState, Payment, PaymentState
from billing.services.attempts import attempt_begin, is_at_checkout, last_attempt, session_check
from billing.services.collect import attempt_end
from billing.services.credit import credit_spend
from billing.services.customers import customer_id


def invoice_checkout(*, invoice: Invoice, success_url: str, cancel_url: str, now: datetime) -> str:
    """Return the address where an open invoice can be paid; empty where nothing is due any more.

    Raise PaymentError where Stripe cannot be reached, or another attempt is being made just now;
    nothing is lost then.
    """
    if invoice.state != InvoiceState.OPEN:
        return ""
    last = last_attempt(invoice)
    if last is not None:
        address = _open_address(last, invoice, now)
        if address:
            return address
        state = attempt_end(payment=last, now=now)
        invoice.refresh_from_db()
        if invoice.state != InvoiceState.OPEN:
            return ""
        if state == PaymentState.PENDING:
            raise payments.PaymentUnavailable(f"{last} is being made")
    spent = credit_spend(invoice=invoice, now=now)
    if spent is not None and spent.invoice.state != InvoiceState.OPEN:
        return ""
    after = last.attempt if last is not None else 0
    payment = attempt_begin(invoice=invoice, card="", after=after, now=now)
    if payment is None:
        return ""
    if not is_at_checkout(payment):
        raise payments.PaymentUnavailable(f"{payment} is being made")
    return _session_open(payment, success_url, cancel_url)


def _open_address(payment: Payment, invoice: Invoice, now: datetime) -> str:
    """Return the address of an attempt's open session, if it is for what is due."""
    if payment.state != PaymentState.PENDING or not payment.checkout_session_id:
        return ""
    checkout = payments.checkout_get(session_id=payment.checkout_session_id)
    session_check(payment=payment, checkout=checkout, now=now)
    return checkout.url if payment.amount == invoice.amount_due else ""


def _session_open(payment: Payment, success_url: str, cancel_url: str) -> str:
    invoice = payment.invoice
    session = payments.checkout_create(
        reference=invoice.number,
        metadata={"invoice": str(invoice.uuid), "attempt": str(payment.attempt)},
        idempotency_key=f"checkout-{payment.idempotency_key}",
        customer_id=customer_id(tenant=invoice.tenant, currency=invoice.currency),
        description=invoice.number,
        currency=payment.currency,
        amount=payment.amount,
        success_url=success_url,
        cancel_url=cancel_url,
        locale=invoice.tenant.language,
    )
    noted = Payment.objects.filter(pk=payment.pk, state=PaymentState.PENDING).update(
        checkout_session_id=session.id
    )
    if not noted:  # given up meanwhile
        payments.checkout_expire(session_id=session.id)
        raise payments.PaymentUnavailable(f"{payment} was given up")
    return session.url


def invoice_check(*, invoice: Invoice, now: datetime) -> Invoice:
    """Ask Stripe about an invoice that its buyer comes back from. Raise PaymentError."""
    last = last_attempt(invoice)
    if last is not None and last.state == PaymentState.PENDING and last.checkout_session_id:
        checkout = payments.checkout_get(session_id=last.checkout_session_id)
        session_check(payment=last, checkout=checkout, now=now)
        invoice.refresh_from_db()
    return invoice

"""Dunning cases: opened when an invoice could not be collected, closed when it is settled.

Rows are locked in one order: the tenant, the invoice, its case. No network.
"""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.services
from billing.alert_types import PAYMENT_FAILED
from billing.declines import in_words
from billing.dunning_schedule import coming, stops_on
from billing.models import (
    Account,
    Customer,
    DunningAct,
    DunningCase,
    DunningDone,
    DunningOutcome,
    DunningStep,
    Invoice,
    InvoiceState,
    Payment,
    PaymentMethod,
    PaymentState,
)
from billing.models.catalog import SMALLEST_CHARGE
from billing.money import display
from billing.services.ledger import post
from billing.services.locks import invoice_locked
from billing.services.loose_attempts import attempts_let_go
from billing.services.subscriptions import pages_check
from tenants.errors import Refused
from tenants.models import HoldReason, User
from tenants.permissions import Act
from tenants.services import mail_members

WAITS_FOR_HOLDER = timedelta(days=1)  # for 3-D Secure; a Checkout Session lives as long


def invoices_uncollected(*, now: datetime) -> QuerySet[Invoice]:
    """Return the open invoices that could not be collected and have no case yet.

    The last charge of a saved card failed, or has waited for the cardholder too long; or there is
    no card, and the day is over on which they were due. What is too small to be charged waits.
    """
    attempts = Payment.objects.filter(invoice=OuterRef("pk"), method=PaymentMethod.CARD)
    last = attempts.exclude(payment_method_id="").order_by("-attempt")
    has_card = Customer.objects.filter(tenant=OuterRef("tenant")).exclude(payment_method_id="")
    failed = Q(last_state=PaymentState.FAILED)
    ignored = Q(last_state=PaymentState.NEEDS_ACTION, last_at__lt=now - WAITS_FOR_HOLDER)
    is_due = Q(due_on=None) | Q(due_on__lt=now.astimezone(UTC).date())
    smallest = Case(*(When(currency=code, then=least) for code, least in SMALLEST_CHARGE.items()))
    return (
        Invoice.objects.filter(state=InvoiceState.OPEN, dunning=None, tenant__leaving_parts=None)
        .filter(total__gte=F("amount_credited") + F("amount_paid") + smallest)
        .annotate(
            last_state=Subquery(last.values("state")[:1]),
            last_at=Subquery(last.values("created_at")[:1]),
            has_card=Exists(has_card),
        )
        .filter(failed | ignored | (Q(last_state=None, has_card=False) & is_due))
        .select_related("tenant")
        .order_by("id")
    )


@transaction.atomic
def case_open(*, invoice: Invoice, now: datetime) -> DunningCase | None:
    """Begin to dun an open invoice, and say so to the tenant; None where it is not open any more,
    or too small to be charged.

    One that has a case keeps it.
    """
    invoice = invoice_locked(invoice.pk)
    if invoice.state != InvoiceState.OPEN or invoice.is_too_small:
        return None
    case, is_new = DunningCase.objects.get_or_create(invoice=invoice, defaults={"opened_at": now})
    if is_new:
        failure_tell(case=case, now=now)
    return case


def failure_tell(*, case: DunningCase, now: datetime) -> None:
    """Mail why an invoice is not paid, how to pay it, and what comes next; once per step."""
    invoice, done = case.invoice, list(case.done.all())
    ahead = coming(case=case, done=done, steps=DunningStep.objects.all(), now=now)
    stops = stops_on(ahead)
    retry = next((each.due_on for each in ahead if each.step.act == DunningAct.RETRY), None)
    with override(invoice.tenant.language):
        context = {
            "number": invoice.number,
            "amount": display(invoice.amount_due, invoice.currency),
            "reason": reason(invoice),
            "retry_on": date_format(retry) if retry and (not stops or retry <= stops) else "",
            "stops_on": date_format(stops) if stops else "",
        }
    day = max((each.day for each in done), default=0)
    told_of = f"payment-failed:{invoice.uuid}:{day}"
    tenants.services.alert_raise(
        tenant=invoice.tenant, kind=PAYMENT_FAILED, key=told_of, now=now,
        data={
            "invoice": invoice.number,
            "amount": invoice.amount_due,
            "currency": invoice.currency,
        },
    )  # fmt: skip
    mail_members(
        tenant=invoice.tenant,
        act=Act.BUY,
        kind="billing.payment_failed",
        key=told_of,
        context=context,
        now=now,
    )


def reason(invoice: Invoice) -> str:
    """Return why the last charge failed, or that there is no card, in the current language."""
    charges = invoice.payments.filter(method=PaymentMethod.CARD).exclude(payment_method_id="")
    last = charges.order_by("-attempt").first()
    if last is not None:
        return in_words(last.failure_code, last.failure_message)
    has_card = Customer.objects.filter(tenant=invoice.tenant).exclude(payment_method_id="")
    return "" if has_card.exists() else _("There is no saved card to charge.")


def suspend(*, case: DunningCase, now: datetime) -> None:
    """Stop a tenant's keys, and say so. Call it in the transaction that notes the step."""
    invoice = case.invoice
    tenants.services.hold_place(
        tenant=invoice.tenant, reason=HoldReason.DUNNING, note=invoice.number, now=now
    )
    _tell(case, "suspended", now)


def case_close(*, invoice: Invoice, now: datetime) -> None:
    """End the dunning of an invoice that is settled, or of which too little is left to be charged.
    Call it in the transaction that settles it.

    The keys work again once no other suspended case is open. That transaction holds the tenant, so
    that two invoices paid at once do not each leave it to the other.
    """
    case = DunningCase.objects.select_for_update().filter(invoice=invoice, closed_at=None).first()
    if case is None:
        return
    tenant = invoice.tenant
    is_paid = invoice.state == InvoiceState.PAID
    case.closed_at = now
    case.save(update_fields=["closed_at"])
    if is_paid:
        case.done.filter(outcome=DunningOutcome.UNDER_WAY).update(outcome=DunningOutcome.PAID)
    suspended = DunningDone.objects.filter(
        act=DunningAct.SUSPEND, case__closed_at=None, case__invoice__tenant=tenant
    )
    if suspended.exists():
        return
    lifted = tenants.services.hold_lift(tenant=tenant, reason=HoldReason.DUNNING, now=now)
    if lifted and is_paid:
        _tell(case, "reactivated", now)


def _tell(case: DunningCase, kind: str, now: datetime) -> None:
    invoice = case.invoice
    with override(invoice.tenant.language):
        context = {
            "number": invoice.number,
            "amount": display(invoice.amount_due or invoice.total, invoice.currency),
            "reason": reason(invoice),
        }
    mail_members(
        tenant=invoice.tenant,
        act=Act.BUY,
        kind=f"billing.{kind}",
        key=f"{kind}:{invoice.uuid}",
        context=context,
        now=now,
    )


@transaction.atomic
def case_pause(*, case: DunningCase, is_paused: bool, actor: User, now: datetime) -> None:
    """Take no more steps in a case, or go on. What was suspended stays so until it is paid."""
    invoice_locked(case.invoice_id)
    case = DunningCase.objects.select_for_update().get(pk=case.pk)
    if case.closed_at is not None or case.is_paused == is_paused:
        return
    case.is_paused = is_paused
    case.save(update_fields=["is_paused"])
    tenants.services.audit_record(
        action="dunning.paused" if is_paused else "dunning.resumed",
        tenant=case.invoice.tenant,
        actor=actor,
        now=now,
        target=case.invoice.number,
    )


@transaction.atomic
def case_give_up(*, case: DunningCase, actor: User, now: datetime) -> None:
    """Write an invoice off as a loss; its case ends, and with the last one the suspension.

    Raise Refused where it is not open.
    """
    invoice = invoice_locked(case.invoice_id)
    if invoice.state != InvoiceState.OPEN:
        raise Refused(_("Invoice %(number)s is not open.") % {"number": invoice.number})
    post(
        key=f"written-off:{invoice.uuid}",
        entries={
            Account.LOSSES: invoice.amount_due,
            Account.RECEIVABLE: -invoice.amount_due,
        },
        currency=invoice.currency,
        now=now,
        tenant=invoice.tenant,
        invoice=invoice,
    )
    invoice.state = InvoiceState.UNCOLLECTIBLE
    invoice.save(update_fields=["state"])
    tenants.services.audit_record(
        action="invoice.written_off",
        tenant=invoice.tenant,
        actor=actor,
        now=now,
        target=invoice.number,
        amount=invoice.amount_due,
    )
    case_close(invoice=invoice, now=now)
    attempts_let_go(invoice=invoice)
    pages_check(tenant=invoice.tenant)

"""This app's part in a tenant's end: what was used is billed up to the day and collected, Stripe
forgets the customer, and what is left but for the books goes.

Invoices, payments, postings, subscriptions and what they rest on stay, by PROTECT. What cannot be
collected stays owed. Each step looks at the rows first, so that a run goes on where one died.
"""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import override

from billing import payments
from billing.dues import month_before, month_of
from billing.mail_files import LAST_INVOICES
from billing.models import (
    ChangeState,
    Customer,
    Invoice,
    InvoiceState,
    Order,
    OrderState,
    Payment,
    PriceMove,
    Refund,
    RefundState,
    SavedCard,
    Subscription,
    SubscriptionState,
)
from billing.models.payments import UNDER_WAY
from billing.money import display
from billing.services.changes import tenant_at_its_plan
from billing.services.checkout import order_check
from billing.services.close_batch import batch_close, batch_would_close
from billing.services.close_month import CATCH_UP
from billing.services.close_read import Close, TermsCache, due, usage_due
from billing.services.collect import attempt_end, invoice_collect, invoices_to_collect
from billing.services.corrections_settle import tenant_settle
from billing.services.offers import period_end
from billing.services.subscriptions import plan_change_withdraw, waiting_cancel
from tenants.models import HoldReason, Tenant, TenantState
from tenants.permissions import Act
from tenants.services import leaving_parts_do, mail_members, rows_forget


@transaction.atomic
def tenant_closing(*, tenant: Tenant, now: datetime) -> None:
    """Give up what was to come of a tenant that asked to be deleted: a change of plan, and what
    waits for its payment. Again, or once it is kept after all, nothing is done.
    """
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    if tenant.state == TenantState.CLOSING:
        plan_change_withdraw(tenant=tenant, now=now)
        waiting_cancel(tenant=tenant)


def leaving_sweep(*, now: datetime) -> None:
    """Go on with the tenants that wait for this app. One's failure stops no other's."""
    leaving_parts_do(app="billing", do=_go_on, now=now)


def _go_on(tenant: Tenant, now: datetime) -> str:
    """Take the steps that can be taken; return what is waited for. Raise PaymentError."""
    _subscription_end(tenant, now)
    if not _orders_are_over(tenant, now):
        return "an order that is not over, or a refund on its way"
    if unbilled := _unbilled(tenant, now):
        return ", ".join(unbilled)
    if not _is_collected(tenant, now):
        return "a payment under way"
    _last_invoices_tell(tenant, now)
    _customer_forget(tenant)
    _rows_forget(tenant)
    return ""


@transaction.atomic
def _subscription_end(tenant: Tenant, now: datetime) -> None:
    """End what is subscribed to: used is what was used until today, and no fee is due of a month
    that had not begun when the deletion was asked for, nor of days after a trial that ran then.
    """
    tenant = tenant_at_its_plan(tenant=tenant, now=now)
    plan_change_withdraw(tenant=tenant, now=now)
    waiting_cancel(tenant=tenant)
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE).first()
    if active is None:
        return
    asked = tenant.holds.filter(reason=HoldReason.DELETION, lifted_at=None).first()
    active.state = SubscriptionState.CANCELLED
    active.ends_on = now.astimezone(UTC).date()
    asked_on = (asked.placed_at if asked else now).astimezone(UTC).date()
    active.fee_until = period_end(active, asked_on, month_of(asked_on))
    active.save(update_fields=["state", "ends_on", "fee_until"])
    PriceMove.objects.filter(subscription=active, state=ChangeState.SCHEDULED).update(
        state=ChangeState.WITHDRAWN, settled_at=now
    )


def _orders_are_over(tenant: Tenant, now: datetime) -> bool:
    """Close the pages that are open; say whether nothing is on its way to a card, or from it."""
    orders = Order.objects.filter(tenant=tenant).select_related("tenant")
    for order in orders.filter(state=OrderState.PENDING):
        order_check(order=order, now=now)
    orders.filter(state=OrderState.PENDING, checkout_session_id="", is_top_up=False).update(
        state=OrderState.EXPIRED
    )
    moving = [OrderState.PENDING, OrderState.TAKING_BACK, OrderState.REFUND_DUE]
    refunds = Refund.objects.filter(payment__invoice__tenant=tenant, state=RefundState.PENDING)
    return not (orders.filter(state__in=moving).exists() or refunds.exists())


def _unbilled(tenant: Tenant, now: datetime) -> list[str]:
    """Close the months that are not closed yet, from some before the end began to the one that
    runs, as far as what was used has settled; return which are not, and why.
    """
    today = now.astimezone(UTC).date()
    begun_at = tenant.leaving_parts.get(app="billing").begun_at
    months = [month_of(begun_at.astimezone(UTC).date())]
    while len(months) <= CATCH_UP:
        months.insert(0, month_before(months[0]))
    while months[-1].end <= today:
        months.append(month_of(months[-1].end))
    left = []
    for month in months:
        # The running month is over for this tenant: it counts as one whose second day has come.
        as_of = max(today, month.end + timedelta(days=1))
        close = Close(month=month, ahead=month_of(month.end), as_of=as_of, now=now)
        waiting = due(close).filter(tenant=tenant)
        if not waiting.exists():
            continue
        ids, cache = list(waiting.values_list("pk", flat=True)), TermsCache()
        batch_close(ids=ids, close=close, cache=cache)
        # A fee may be due that comes to nothing: it is never written, and nothing waits for it.
        rest = batch_would_close(ids=ids, close=close, cache=cache)
        if rest.refused:
            left += [f"{month.start:%Y-%m}: {why}" for why in rest.refused.values()]
        elif rest.invoices or usage_due(close).filter(pk__in=ids).exists():
            left.append(f"usage of {month.start:%Y-%m} to settle")
    tenant_settle(tenant_id=tenant.pk, now=now)
    return left


def _is_collected(tenant: Tenant, now: datetime) -> bool:
    """Charge what is open to the saved card, once; say whether nothing is under way any more.

    What waits for its holder is ended before and after: nobody can sign in to confirm it, and a
    page that is open would keep the card from being charged.
    """
    _attempts_end(tenant, now)
    for invoice in invoices_to_collect().filter(tenant=tenant):
        invoice_collect(invoice=invoice, now=now)
    return _attempts_end(tenant, now)


def _attempts_end(tenant: Tenant, now: datetime) -> bool:
    """See to it that nothing but a charge can pay any more; say whether nothing is under way."""
    under_way = Payment.objects.filter(Q(state__in=UNDER_WAY), invoice__tenant=tenant)
    for payment in under_way.select_related("invoice"):
        attempt_end(payment=payment, now=now)
    return not under_way.exists()


def _last_invoices_tell(tenant: Tenant, now: datetime) -> None:
    """Mail the invoices since the end began: whoever pays them cannot sign in to read them."""
    begun_at = tenant.leaving_parts.get(app="billing").begun_at
    issued = Invoice.objects.filter(tenant=tenant, issued_at__gte=begun_at)
    with override(tenant.language):
        told = [
            {
                "uuid": str(each.uuid),
                "number": each.number,
                "total": display(each.total, each.currency),
                "due": display(each.amount_due, each.currency)
                if each.state == InvoiceState.OPEN
                else "",
            }
            for each in issued.order_by("year", "sequence")
        ]
    if told:
        mail_members(
            tenant=tenant, act=Act.BUY, kind=LAST_INVOICES, key=f"last-invoices:{tenant.uuid}",
            context={"invoices": told}, now=now,
        )  # fmt: skip


def _customer_forget(tenant: Tenant) -> None:
    """Have Stripe delete the customer with the cards. Payments stay there, as ours do here."""
    customer = Customer.objects.filter(tenant=tenant).first()
    if customer is None:
        return
    if customer.stripe_id:
        payments.customer_delete(customer_id=customer.stripe_id)
    SavedCard.objects.filter(customer=customer).delete()
    customer.stripe_id = customer.payment_method_id = customer.name = customer.email = ""
    customer.save(update_fields=["stripe_id", "payment_method_id", "name", "email"])


@transaction.atomic
def _rows_forget(tenant: Tenant) -> None:
    """Delete what is the tenant's own, and who it was that did what stays."""
    rows_forget(tenant=tenant, app="billing")
    Order.objects.filter(tenant=tenant).update(created_by=None)
    tenant.plan_changes.update(created_by=None)

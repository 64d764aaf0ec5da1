"""Tasks of this app: thin, safe to run twice, late, or half. portal/celery.py schedules them."""

from contextlib import suppress
from typing import Any

from celery import shared_task
from django.utils import timezone

from billing import payments, services
from billing.models import Order, Refund, SavedCard, StripeEvent, ViesCheck
from billing.services import (
    cards,
    checkout,
    customers,
    events,
    leaving,
    loose_attempts,
    refunds,
    taking_back,
    trials,
    vies,
)
from billing.services import spending_alerts as spending
from tenants import queue
from tenants.models import Tenant


@shared_task
def event_process(event_pk: int) -> None:
    """Do what one of Stripe's events asks for; a failure is noted, and the sweep tries again."""
    event = StripeEvent.objects.get(pk=event_pk)
    try:
        services.event_process(event=event, now=timezone.now())
    except payments.PaymentError:
        return


@shared_task
def events_sweep() -> None:
    """Queue the events that were stored and not dealt with."""
    for event in events.events_waiting(now=timezone.now()):
        queue.send("billing.tasks.event_process", event.pk, queue="default")


@shared_task
def reconcile() -> None:
    """Compare with Stripe: events, disputes, balance, books."""
    services.reconcile(now=timezone.now())


@shared_task
def orders_sweep() -> None:
    """Look up orders that wait for a webhook that may never come; pay back what is due."""
    checkout.orders_sweep(clock=timezone.now)


@shared_task
def packs_take_back() -> None:
    """Pay the packs back that were given back unused, and restore those that were not."""
    taking_back.taking_back_run(now=timezone.now())


@shared_task
def top_up() -> None:
    """Buy packs for the tenants who want that, and see to those that are being bought."""
    services.top_ups_run(clock=timezone.now)


@shared_task
def order_check(order_pk: int) -> None:
    """Ask Stripe about an order whose page may have to be closed; else the sweep does."""
    order = Order.objects.select_related("tenant").get(pk=order_pk)
    with suppress(payments.PaymentError):
        services.order_check(order=order, now=timezone.now())


@shared_task
def order_refund(order_pk: int) -> None:
    """Pay an undeliverable order back; a failure is left to the sweep."""
    order = Order.objects.select_related("tenant").get(pk=order_pk)
    try:
        services.order_refund(order=order, now=timezone.now())
    except payments.PaymentError:
        return


@shared_task
def refund_send(refund_pk: int) -> None:
    """Have Stripe pay a refund back; where the outcome is unknown, the sweep asks again."""
    with suppress(payments.PaymentError):
        refunds.refund_send(refund=Refund.objects.get(pk=refund_pk), now=timezone.now())


@shared_task
def refunds_sweep() -> None:
    """Queue the refunds that nobody knows the end of."""
    for refund in refunds.refunds_waiting():
        queue.send("billing.tasks.refund_send", refund.pk, queue="default")


@shared_task
def changes_apply() -> None:
    """Make the changes of plan and price that are due."""
    services.changes_apply(now=timezone.now())


@shared_task
def trials_announce() -> None:
    """Tell the tenants whose trial is about to end."""
    trials.trials_announce(now=timezone.now())


@shared_task
def close_month() -> None:
    """Issue what is due of the last months."""
    services.close_month(now=timezone.now())


@shared_task
def months_missed() -> None:
    """Log which months were not closed in time, and are not looked at any more."""
    services.months_missed(now=timezone.now())


@shared_task
def months_correct() -> None:
    """Note what the gateway tells otherwise of months that are closed."""
    services.months_correct(now=timezone.now())


@shared_task
def caps_sweep() -> None:
    """Reckon the spending caps anew that another price has made wrong."""
    services.caps_sweep(now=timezone.now())


@shared_task
def collect() -> None:
    """Charge what is open to the saved cards."""
    services.collect(now=timezone.now())


@shared_task
def attempt_end(payment_pk: int) -> None:
    """End an attempt that could pay what is not due any more; a failure is left to the sweep."""
    payment = loose_attempts.attempts_loose().filter(pk=payment_pk).first()
    if payment is None:
        return
    with suppress(payments.PaymentError):
        services.attempt_end(payment=payment, now=timezone.now())


@shared_task
def attempts_sweep() -> None:
    """Queue the ends of attempts that could pay what is not due, and whose webhook never came."""
    for pk in loose_attempts.attempts_loose().values_list("pk", flat=True):
        queue.send("billing.tasks.attempt_end", pk, queue="default")


@shared_task
def spending_alerts() -> None:
    """Tell of the thresholds of spending that were crossed."""
    spending.spending_alerts(now=timezone.now())


@shared_task
def card_detach(card_pk: int) -> None:
    """Detach a removed card at Stripe; a failure is left to the sweep."""
    card = SavedCard.objects.filter(pk=card_pk).first()
    if card is None:
        return
    with suppress(payments.PaymentError):
        services.card_detach(card=card)


@shared_task
def cards_sweep() -> None:
    """Detach removed cards that are still attached, and mail about those that soon expire."""
    cards.cards_detach()
    cards.cards_expiring_tell(now=timezone.now())


@shared_task
def customers_follow() -> None:
    """Tell Stripe of other owners and names."""
    customers.customers_follow()


@shared_task
def dun() -> None:
    """Take the steps that are due about invoices that could not be collected."""
    services.dun(now=timezone.now())


@shared_task
def tenant_closing(_event_id: int, tenant_id: int, _payload: dict[str, Any]) -> None:
    """Give up what was to come of a tenant that asked to be deleted."""
    leaving.tenant_closing(tenant=Tenant.objects.get(pk=tenant_id), now=timezone.now())


@shared_task
def leaving_sweep() -> None:
    """Bill and forget the tenants whose grace is over."""
    leaving.leaving_sweep(now=timezone.now())


@shared_task
def vies_check(check_pk: int) -> None:
    """Ask VIES about a tenant's VAT number; where it cannot tell, the sweep asks again."""
    check = ViesCheck.objects.select_related("tenant").filter(pk=check_pk).first()
    if check is not None:
        vies.vies_check(check=check, now=timezone.now())


@shared_task
def vies_sweep() -> None:
    """Queue the questions to VIES that are due."""
    for check in vies.vies_checks_due(now=timezone.now()):
        queue.send("billing.tasks.vies_check", check.pk, queue="default")


@shared_task
def sign_up_requests_submit() -> None:
    """Tell operators of the requests whose address is confirmed."""
    services.sign_up_requests_submit(now=timezone.now())

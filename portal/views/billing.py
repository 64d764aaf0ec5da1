"""Billing pages: the plan, the way to Checkout and back, invoices and their PDFs.

Only two views wait for Stripe: the one that sends a buyer to Checkout, and, once, the one that they
come back to, in case the webhook is late.
"""

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import tenants.selectors
from billing import declines, extensions, payments, pdf, selectors, services
from billing.balances import credit_display
from billing.models import Order, OrderPurpose, OrderState
from billing.money import display
from billing.overdue import overdue
from billing.spending import cap_row
from portal.views.access import TenantRequest, demand, tenant_required
from portal.views.spending import next_invoice
from tenants.errors import Refused
from tenants.links import address
from tenants.permissions import Act

LATEST = 5


@require_safe
@tenant_required
def overview(request: TenantRequest) -> HttpResponse:
    tenant = request.member.tenant
    now = timezone.now()
    current, _earlier = extensions.current_and_earlier(tenant=tenant, now=now)
    latest = selectors.invoices(tenant=tenant)[:LATEST]
    subscription = selectors.subscription_row(tenant=tenant, now=now)
    context = {
        "nav": "billing",
        "holds": tenants.selectors.holds_standing(tenant=tenant),
        "subscription": subscription,
        "to_pay": _to_pay(subscription["pending"], now),
        "cap": cap_row(tenant=tenant, now=now),
        "next_invoice": next_invoice(tenant, now),
        "cards": selectors.cards(tenant=tenant),
        "credit": credit_display(tenant=tenant),
        "overdue": overdue(tenant=tenant, now=now),
        "extensions": current,
        "takes_packs": selectors.takes_packs(tenant=tenant),
        "invoices": [_invoice(invoice) for invoice in latest],
        "token": uuid.uuid4().hex,
    }
    return render(request, "portal/billing/overview.html", context)


def _to_pay(order: object, now: datetime) -> dict[str, object] | None:
    """Return what a plan's waiting order comes to today; None where that is nothing."""
    today = services.plan_order_today(order=order, now=now) if isinstance(order, Order) else None
    if today is None or not today.amount:
        return None
    amount = display(today.amount, today.currency)
    return {"what": today.description, "amount": amount, "day": today.starts_on}


def form_token(request: TenantRequest, what: str) -> str:
    """Return the form's token for what was chosen on it; empty where it sent none."""
    token = request.POST.get("token", "")[:40]
    return f"{token}-{what}"[:64] if token else ""


def order_or_404(request: TenantRequest, order_uuid: uuid.UUID) -> Order:
    order = selectors.order_by_uuid(tenant=request.member.tenant, order_uuid=order_uuid)
    if order is None:
        raise Http404
    return order


@require_safe
@tenant_required
def checkout(request: TenantRequest, order_uuid: uuid.UUID) -> HttpResponse:
    """Send the buyer to Checkout. Where Stripe is away the order waits, and the page says so."""
    demand(request, Act.BUY)
    order = order_or_404(request, order_uuid)
    back = reverse("billing-checkout-return", args=[order.uuid])
    try:
        url = services.checkout_start(
            order=order,
            success_url=address(order.tenant, back),
            cancel_url=address(order.tenant, _cancel_path(order)),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_cancel_path(order))
    except payments.PaymentError:
        messages.error(
            request,
            _("The payment page cannot be reached now. Nothing was charged; please try again."),
        )
        return redirect(_cancel_path(order))
    return redirect(url or back)


def _cancel_path(order: Order) -> str:
    is_extension = order.purpose == OrderPurpose.EXTENSION
    return reverse("billing-extensions" if is_extension else "billing")


@require_safe
@tenant_required
def checkout_return(request: TenantRequest, order_uuid: uuid.UUID) -> HttpResponse:
    """Where a buyer comes back to. It asks Stripe once itself; after that it reads our rows."""
    order = order_or_404(request, order_uuid)
    if not request.htmx and order.state == OrderState.PENDING:  # type: ignore[attr-defined]
        with suppress(payments.PaymentError):  # the webhook, or the sweep, will tell
            order = services.order_check(order=order, now=timezone.now())
    context = {
        "nav": "billing",
        "order": _order(order),
        "poll_url": request.path,
    }
    is_fragment = request.htmx  # type: ignore[attr-defined]
    template = "partials/checkout_state.html" if is_fragment else "billing/checkout_return.html"
    return render(request, f"portal/{template}", context)


def _order(order: Order) -> dict[str, Any]:
    """Return where a purchase stands: pending, paid, applied, or an end that is not good."""
    state = str(order.state)
    error = declines.in_words(order.decline_code, order.decline_message)
    if order.state == OrderState.FULFILLED:
        state = "applied" if selectors.order_is_applied(order, now=timezone.now()) else "paid"
    elif order.taking_back_since is not None:
        error = _("You gave it back. The money follows once it is certain that it was not used.")
    elif order.state in {OrderState.REFUND_DUE, OrderState.REFUNDED}:
        error = (
            _("It was paid when it could not be had any more. You get your money back.")
            if order.payment_intent_id
            else _("It could not be had any more. Nothing was charged.")
        )
    elif order.state == OrderState.EXPIRED:
        error = _("The payment page has expired. Nothing was charged.")
    is_open = order.amount > order.to_charge
    return {"state": state, "name": order.description, "error": error, "is_open": is_open}


@require_safe
@tenant_required
def invoices(request: TenantRequest) -> HttpResponse:
    rows = [_invoice(invoice) for invoice in selectors.invoices(tenant=request.member.tenant)]
    return render(request, "portal/billing/invoices.html", {"nav": "billing", "invoices": rows})


def _invoice(invoice: Any) -> dict[str, object]:
    row = selectors.invoice_row(invoice)
    return {**row, "pdf_url": reverse("billing-invoice-pdf", args=[invoice.number])}


@require_safe
@tenant_required
def invoice_pdf(request: TenantRequest, number: str) -> HttpResponse:
    invoice = selectors.invoice_by_number(tenant=request.member.tenant, number=number)
    if invoice is None:
        raise Http404
    response = HttpResponse(pdf.invoice_pdf(invoice), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="invoice-{invoice.number}.pdf"'
    return response


urlpatterns = [
    path("billing/", overview, name="billing"),
    path("billing/checkout/<uuid:order_uuid>/", checkout, name="billing-checkout"),
    path(
        "billing/checkout/<uuid:order_uuid>/return/",
        checkout_return,
        name="billing-checkout-return",
    ),
    path("billing/invoices/", invoices, name="billing-invoices"),
    path("billing/invoices/<str:number>.pdf", invoice_pdf, name="billing-invoice-pdf"),
]

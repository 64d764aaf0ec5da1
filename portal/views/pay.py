"""Pay an open invoice: what mails and banners lead to.

Starting, and coming back, wait for Stripe once; the page itself reads our rows.
"""

from contextlib import suppress

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing import payments, selectors, services
from billing.models import Invoice
from portal.views.access import TenantRequest, demand, tenant_required
from tenants.links import address
from tenants.permissions import Act


@require_safe
@tenant_required
def invoice_pay(request: TenantRequest, number: str) -> HttpResponse:
    """Say what is due and why it is not paid."""
    invoice = _invoice_or_404(request, number)
    context = {
        "nav": "billing",
        "invoice": selectors.invoice_to_pay(invoice),
        "pdf_url": reverse("billing-invoice-pdf", args=[number]),
    }
    return render(request, "portal/billing/pay.html", context)


@require_POST
@tenant_required
def invoice_checkout(request: TenantRequest, number: str) -> HttpResponse:
    """Lead to Checkout for this very invoice."""
    demand(request, Act.BUY)
    invoice = _invoice_or_404(request, number)
    page = reverse("billing-invoice-pay", args=[number])
    try:
        url = services.invoice_checkout(
            invoice=invoice,
            success_url=address(invoice.tenant, reverse("billing-invoice-paid", args=[number])),
            cancel_url=address(invoice.tenant, page),
            now=timezone.now(),
        )
    except payments.PaymentError:
        messages.error(
            request,
            _("The payment page cannot be reached now. Nothing was charged; please try again."),
        )
        return redirect(page)
    return redirect(url or page)


@require_safe
@tenant_required
def invoice_paid(request: TenantRequest, number: str) -> HttpResponse:
    """Where a payer comes back to. It asks Stripe itself, in case the webhook is late."""
    invoice = _invoice_or_404(request, number)
    with suppress(payments.PaymentError):  # the webhook, or the next run, will tell
        services.invoice_check(invoice=invoice, now=timezone.now())
    return redirect("billing-invoice-pay", number=number)


def _invoice_or_404(request: TenantRequest, number: str) -> Invoice:
    invoice = selectors.invoice_by_number(tenant=request.member.tenant, number=number)
    if invoice is None:
        raise Http404
    return invoice


urlpatterns = [
    path("billing/invoices/<str:number>/pay/", invoice_pay, name="billing-invoice-pay"),
    path(
        "billing/invoices/<str:number>/checkout/",
        invoice_checkout,
        name="billing-invoice-checkout",
    ),
    path("billing/invoices/<str:number>/paid/", invoice_paid, name="billing-invoice-paid"),
]

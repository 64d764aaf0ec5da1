"""What a tenant's invoices say of it, which tax that adds, and all of them for its bookkeeper."""

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing import selectors
from billing.export import CONTENT_TYPES, export
from billing.models import TaxDetails
from billing.services.taxes import tax_details_save
from billing.tax_words import how_taxed, vies_said
from portal.forms import TaxDetailsForm
from portal.views.access import TenantRequest, demand, tenant_required
from tenants.permissions import Act


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def billing_details(request: TenantRequest) -> HttpResponse:
    is_sent = request.method == "POST"
    if is_sent:
        demand(request, Act.BUY)
    tenant = request.member.tenant
    now = timezone.now()
    details = TaxDetails.objects.filter(tenant=tenant).first()
    form = TaxDetailsForm(
        request.POST or None,
        instance=details or TaxDetails(tenant=tenant),
        initial={} if details else {"legal_name": tenant.name},
    )
    if is_sent and form.is_valid():
        tax_details_save(details=form.save(commit=False), actor=request.user, now=now)
        messages.success(request, _("Saved."))
        return redirect("billing-details")
    saved = TaxDetails.objects.filter(tenant=tenant).first()  # the form may have changed `details`
    context = {
        "nav": "billing",
        "form": form,
        "details": saved,
        "vies_said": vies_said(details=saved) if saved else "",
        "how_taxed": how_taxed(tenant=tenant, now=now),
    }
    template = "portal/billing/details.html"
    return render(request, template, context, status=400 if is_sent else 200)


@require_safe
@tenant_required
def invoices_export(request: TenantRequest, format_: str) -> StreamingHttpResponse:
    """All invoices of the tenant, a row per line and per tax, as CSV or JSON."""
    return StreamingHttpResponse(
        export(selectors.invoices(tenant=request.member.tenant), format_=format_),
        content_type=CONTENT_TYPES[format_],
        headers={"Content-Disposition": f'attachment; filename="invoices.{format_}"'},
    )


urlpatterns = [
    path("billing/details/", billing_details, name="billing-details"),
    path("billing/invoices.csv", invoices_export, {"format_": "csv"}, "billing-invoices-csv"),
    path("billing/invoices.json", invoices_export, {"format_": "json"}, "billing-invoices-json"),
]

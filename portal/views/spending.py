"""What the billing page says of money to come: the next invoice so far, and the spending cap."""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing import services
from billing.money import display, display_unit, minor
from portal.views.access import TenantRequest, demand, tenant_required
from tenants.errors import Refused
from tenants.models import Tenant
from tenants.permissions import Act


def next_invoice(tenant: Tenant, now: datetime) -> dict[str, object] | None:
    """Return the next invoice so far, ready to show; None where none is to come."""
    found = services.forecast(tenant=tenant, now=now)
    if found is None:
        return None
    currency = found.currency
    return {
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "unit": display_unit(line.unit_amount, currency),
                "amount": display(line.amount, currency),
            }
            for line in found.lines
        ],
        "total": display(found.total, currency),
        "expected": display(found.expected, currency),
    }


@require_POST
@tenant_required
def cap_set(request: TenantRequest) -> HttpResponse:
    """Set the cap, or lift it where the amount is left empty."""
    demand(request, Act.BUY)
    tenant = request.member.tenant
    typed = request.POST.get("amount", "").strip()
    if not typed:
        services.cap_lift(tenant=tenant, actor=request.user, now=timezone.now())
        messages.success(request, _("There is no spending cap any more."))
        return redirect("billing")
    try:
        amount = minor(Decimal(typed), tenant.customer.currency)
        services.cap_set(tenant=tenant, amount=amount, actor=request.user, now=timezone.now())
    except (InvalidOperation, ValueError):
        messages.error(request, _("Write an amount like 50."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The spending cap is set."))
    return redirect("billing")


urlpatterns = [path("billing/cap/", cap_set, name="billing-cap")]

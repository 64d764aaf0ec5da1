"""The spending cap of the billing page."""

from decimal import Decimal, InvalidOperation

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing import services
from billing.money import minor
from portal.views.access import TenantRequest, tenant_required
from tenants.errors import Refused
from tenants.permissions import Act, may


@require_POST
@tenant_required
def cap_set(request: TenantRequest) -> HttpResponse:
    """Set the cap, or lift it where the amount is left empty."""
    tenant = request.member.tenant
    if not may(request.member, Act.BUY):
        messages.error(request, _("Your role may not set a spending cap."))
        return redirect("billing")
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

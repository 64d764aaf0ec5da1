"""Quota extensions: packs to buy and to give back, what is left of them, and automatic top-ups."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

import tenants.selectors
from billing import extensions as shown
from billing import selectors, services
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from portal.views.billing import form_token, order_or_404
from tenants.errors import Refused
from tenants.permissions import Act
from tenants.recent import demand_recently_authenticated


@require_safe
@tenant_required
def extensions(request: TenantRequest) -> HttpResponse:
    tenant = request.member.tenant
    now = timezone.now()
    current, earlier = shown.current_and_earlier(tenant=tenant, now=now)
    context = {
        "nav": "billing",
        "takes_packs": selectors.takes_packs(tenant=tenant),
        "packs": selectors.packs(tenant=tenant, now=now),
        "usage": tenants.selectors.usage_now(tenant=tenant, now=now),
        "current": current,
        "earlier": earlier,
        "top_up": shown.auto_top_up_row(tenant=tenant, now=now),
        "has_card": selectors.cards(tenant=tenant).exists(),
        "token": uuid.uuid4().hex,
    }
    return render(request, "portal/billing/extensions.html", context)


@require_POST
@tenant_required
def extension_buy(request: TenantRequest) -> HttpResponse:
    """Write the order; the same form sent twice finds the first one."""
    demand(request, Act.BUY)
    demand_recently_authenticated(request)
    pack_code = request.POST.get("pack", "")
    try:
        order = services.extension_order(
            tenant=request.member.tenant,
            pack_code=pack_code,
            token=form_token(request, pack_code),
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("billing-extensions")
    return redirect("billing-checkout", order_uuid=order.uuid)


@require_POST
@tenant_required
def extension_give_back(request: TenantRequest, order_uuid: uuid.UUID) -> HttpResponse:
    demand(request, Act.BUY)
    order = order_or_404(request, order_uuid)
    with refusals_told(request):
        services.order_take_back(order=order, actor=request.user, now=timezone.now())
        messages.success(
            request,
            _(
                "The requests were taken back. The money follows once it is certain that none of "
                "them was used; we tell you by mail."
            ),
        )
    return redirect("billing-extensions")


@require_POST
@tenant_required
def top_up(request: TenantRequest) -> HttpResponse:
    """Turn automatic top-ups on, as the form says, or off."""
    demand(request, Act.BUY)
    tenant, now = request.member.tenant, timezone.now()
    if "stop" in request.POST:
        services.auto_top_up_stop(tenant=tenant, actor=request.user, now=now)
        messages.success(request, _("Automatic top-up is off."))
        return redirect("billing-extensions")
    demand_recently_authenticated(request)
    with refusals_told(request):
        services.auto_top_up_set(
            tenant=tenant,
            pack_code=request.POST.get("pack", ""),
            percent=_number(request, "percent"),
            most_per_period=_number(request, "most"),
            actor=request.user,
            now=now,
        )
        messages.success(request, _("Packs are bought by themselves from now on."))
    return redirect("billing-extensions")


def _number(request: TenantRequest, name: str) -> int:
    """Return a whole number that was typed; 0, which is refused, for anything else."""
    text = request.POST.get(name, "")[:4]
    return int(text) if text.isdecimal() else 0


urlpatterns = [
    path("billing/extensions/", extensions, name="billing-extensions"),
    path("billing/extensions/buy/", extension_buy, name="billing-extension-buy"),
    path("billing/extensions/top-up/", top_up, name="billing-top-up"),
    path(
        "billing/extensions/<uuid:order_uuid>/give-back/",
        extension_give_back,
        name="billing-extension-give-back",
    ),
]

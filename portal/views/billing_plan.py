"""Pages to change plan: the choices, and what one of them means, before anything is done."""

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import tenants.selectors
from billing import selectors, services
from billing.money import display
from billing.services import Offer
from billing.usage_prices import in_words, priced
from portal.views.access import TenantRequest, demand, tenant_required
from tenants.errors import Refused
from tenants.models import Tenant
from tenants.permissions import Act
from tenants.recent import demand_recently_authenticated


@require_safe
@tenant_required
def choices(request: TenantRequest) -> HttpResponse:
    """Show the public plans beside today's."""
    tenant = request.member.tenant
    row = selectors.subscription_row(tenant=tenant, now=timezone.now())
    context = {
        "nav": "billing",
        "subscription": row,
        "plans": selectors.plans_public(currency=selectors.currency_of(tenant=tenant)),
    }
    return render(request, "portal/billing/plans.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def change(request: TenantRequest, code: str) -> HttpResponse:
    """Say what a change means, to the cent; with POST, make it."""
    tenant = request.member.tenant
    if request.method == "POST":
        return _change(request, code)
    try:
        now = timezone.now()
        offer = services.plan_offer(tenant=tenant, plan_code=code, now=now)
    except Refused as refusal:
        if code not in dict(selectors.plan_choices()):
            raise Http404 from refusal
        messages.info(request, str(refusal))
        return redirect("billing-plan")
    is_card_missing = offer.needs_card and not services.has_card(tenant=tenant)
    context = {
        "nav": "billing",
        "offer": _offer(offer),
        "now": None if offer.is_now else _offer_now(tenant, code, now),
        "is_card_missing": is_card_missing,
        "token": uuid.uuid4().hex,
    }
    return render(request, "portal/billing/plan_change.html", context)


def _offer_now(tenant: Tenant, code: str, now: datetime) -> dict[str, object]:
    """Return what a change at once means that else waits for the month's end, with its quota
    and the plan that is paid for till then.
    """
    offer = services.plan_offer(tenant=tenant, plan_code=code, now=now, at_once=True)
    limits = offer.plan.usage_plan
    quota = None
    if not limits.is_unlimited:
        quota = tenants.selectors.quota_under(tenant=tenant, usage_plan=limits, now=now)
    plan, paid = services.rest_paid(
        subscription=offer.replaces, day=offer.takes_effect_on, month=offer.month
    )
    return {
        **_offer(offer),
        "quota": quota,
        "ends_trial": offer.ends_trial,
        "paid_plan": plan.name if paid.amount else "",
    }


def _offer(offer: Offer) -> dict[str, object]:
    """Return an offer for the page: amounts as people read them, and the one that is sent back."""
    currency = offer.price.currency
    return {
        "code": offer.plan.code,
        "plan": offer.plan.name,
        "replaces": offer.replaces.plan.name,
        "is_now": offer.is_now,
        "is_free": offer.plan.code == services.FREE,
        "takes_effect_on": offer.takes_effect_on,
        "month_ends": offer.month.end,
        "trial_ends_on": offer.trial_ends_on,
        "has_fee": offer.price.monthly_fee > 0,
        "usage": [
            text
            for meter, steps in priced(offer.plan, offer.price).items()
            for text in in_words(meter, steps, currency)
        ],
        "fee": display(offer.price.monthly_fee, currency),
        "old_fee": display(offer.replaces.price.monthly_fee, currency),
        "setup_fee": display(offer.price.setup_fee, currency) if offer.owes_setup else "",
        "lines": [(line.description, display(line.amount, currency)) for line in offer.lines],
        "tax": display(offer.tax, currency) if offer.tax else "",
        "amount": offer.amount,
        "is_too_small": offer.is_too_small,
        "amount_display": display(offer.amount, currency),
    }


def _change(request: TenantRequest, code: str) -> HttpResponse:
    """Make a change, or lead to the payment that it waits for."""
    demand(request, Act.BUY)
    demand_recently_authenticated(request)
    tenant = request.member.tenant
    shown = request.POST.get("amount", "")
    try:
        order = services.plan_change(
            tenant=tenant,
            plan_code=code,
            shown=int(shown) if shown.isdecimal() else -1,
            token=request.POST.get("token", "")[:64],
            actor=request.user,
            now=timezone.now(),
            at_once=request.POST.get("when") == "now",
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("billing-plan-change", code=code)
    if order is not None:
        return redirect("billing-checkout", order_uuid=order.uuid)
    row = selectors.subscription_row(tenant=tenant, now=timezone.now())
    if row["plan_code"] == code:
        messages.success(request, _("You are on %(plan)s now.") % {"plan": row["plan_name"]})
    else:
        messages.success(request, _("Your plan will change. Until then you can keep it."))
    return redirect("billing")


@require_POST
@tenant_required
def keep(request: TenantRequest) -> HttpResponse:
    """Take back a change that is to come, or one that waits for its payment."""
    demand(request, Act.BUY)
    if services.plan_keep(tenant=request.member.tenant, actor=request.user, now=timezone.now()):
        messages.success(request, _("You keep your plan."))
    else:
        messages.info(request, _("There is no change to take back."))
    return redirect("billing")


urlpatterns = [
    path("billing/plan/", choices, name="billing-plan"),
    path("billing/plan/<slug:code>/", change, name="billing-plan-change"),
    path("billing/keep-plan/", keep, name="billing-plan-keep"),
]

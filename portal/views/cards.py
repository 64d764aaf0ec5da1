"""A tenant's saved cards: add one at Checkout, choose the one that is charged, remove one."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing import selectors, services
from billing.models import SavedCard
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from portal.views.billing import form_token
from tenants.permissions import Act
from tenants.recent import demand_recently_authenticated


@require_POST
@tenant_required
def card_add(request: TenantRequest) -> HttpResponse:
    demand(request, Act.BUY)
    demand_recently_authenticated(request)
    order = services.card_order(
        tenant=request.member.tenant,
        token=form_token(request, "card"),
        actor=request.user,
        now=timezone.now(),
    )
    return redirect("billing-checkout", order_uuid=order.uuid)


@require_POST
@tenant_required
def card_make_default(request: TenantRequest, card_id: int) -> HttpResponse:
    demand(request, Act.BUY)
    card = _card_or_404(request, card_id)
    with refusals_told(request):
        services.card_make_default(card=card)
        text = _("Invoices are charged to the card ending in %(last_four)s from now on.")
        messages.success(request, text % {"last_four": card.last_four})
    return redirect("billing")


@require_POST
@tenant_required
def card_remove(request: TenantRequest, card_id: int) -> HttpResponse:
    demand(request, Act.BUY)
    card = _card_or_404(request, card_id)
    demand_recently_authenticated(request)
    services.card_remove(card=card, now=timezone.now())
    text = _("The card ending in %(last_four)s was removed.") % {"last_four": card.last_four}
    messages.success(request, text)
    return redirect("billing")


def _card_or_404(request: TenantRequest, card_id: int) -> SavedCard:
    card = selectors.cards(tenant=request.member.tenant).filter(pk=card_id).first()
    if card is None:
        raise Http404
    return card


urlpatterns = [
    path("billing/cards/add/", card_add, name="billing-card-add"),
    path("billing/cards/<int:card_id>/default/", card_make_default, name="billing-card-default"),
    path("billing/cards/<int:card_id>/remove/", card_remove, name="billing-card-remove"),
]

"""Changes of plan and price in the admin: what is to come, and moves to the newest price."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDateWidget

from billing import services
from billing.models import PlanChange, PriceMove, Subscription
from tenants.admin_tools import ReadOnly, ask, is_answered, operator
from tenants.errors import Refused


class MoveForm(forms.Form):
    """On which day subscriptions move to the newest price."""

    takes_effect_on = forms.DateField(
        label=_("Takes effect on"),
        widget=UnfoldAdminDateWidget,
        help_text=_("The first of a month (UTC)."),
    )


@admin.action(description=_("Move to the newest price"), permissions=["act"])
def move_to_newest_price(
    model_admin: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    subscriptions: QuerySet[Subscription],
) -> TemplateResponse | None:
    """Ask for the day, then schedule the moves of all that were chosen, with a mail to each."""
    now = timezone.now()
    first = {"takes_effect_on": services.price_move_first_day(now=now)}
    form = MoveForm(request.POST) if is_answered(request) else MoveForm(initial=first)
    if form.is_bound and form.is_valid():
        try:
            moves = services.price_moves_schedule(
                subscriptions=subscriptions,
                takes_effect_on=form.cleaned_data["takes_effect_on"],
                actor=operator(request),
                now=now,
            )
        except Refused as refusal:
            form.add_error("takes_effect_on", str(refusal))
        else:
            count = len(moves)
            text = ngettext("%d move scheduled.", "%d moves scheduled.", count) % count
            model_admin.message_user(request, text, messages.SUCCESS)
            return None
    return ask(
        model_admin,
        request,
        form=form,
        title=str(_("Move to the newest price")),
        explanation=str(
            _(
                "Each tenant gets a mail with the old price and the new one. Subscriptions that "
                "have the newest price are left as they are."
            )
        ),
    )


@admin.register(PriceMove)
class PriceMoveAdmin(ReadOnly, ModelAdmin):
    list_display = ["subscription", "price", "takes_effect_on", "state", "created_by"]
    list_filter = ["state", "takes_effect_on"]
    search_fields = ["subscription__tenant__name", "subscription__tenant__uuid"]
    list_select_related = ["subscription__tenant", "subscription__plan", "price__plan"]
    actions = ["withdraw"]

    @admin.action(description=_("Withdraw"), permissions=["act"])
    def withdraw(self, request: HttpRequest, moves: QuerySet[PriceMove]) -> None:
        withdrawn = sum(
            services.price_move_withdraw(move=move, actor=operator(request), now=timezone.now())
            for move in moves.select_related("subscription")
        )
        text = ngettext("%d move withdrawn.", "%d moves withdrawn.", withdrawn) % withdrawn
        self.message_user(request, text, messages.SUCCESS)


@admin.register(PlanChange)
class PlanChangeAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "plan", "takes_effect_on", "state", "created_by", "settled_at"]
    list_filter = ["state", "plan"]
    search_fields = ["tenant__name", "tenant__uuid"]
    list_select_related = ["tenant", "plan", "created_by"]

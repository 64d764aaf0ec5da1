"""What tenants set for themselves, in the admin: spending caps and automatic top-ups."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from billing import services
from billing.admin_money import MoneyAdmin, money
from billing.models import AutoTopUp, CapChange, SpendingCap
from tenants.admin_tools import ReadOnly, operator


@admin.register(SpendingCap)
class SpendingCapAdmin(MoneyAdmin):
    amounts = {"amount": money("amount", _("amount"))}
    list_display = ["tenant", amounts["amount"], "requests", "set_at"]
    list_filter = ["currency"]
    search_fields = ["tenant__name", "tenant__uuid"]
    list_select_related = ["tenant"]
    actions = ["lift"]

    @admin.action(description=_("Lift the spending caps"), permissions=["act"])
    def lift(self, request: HttpRequest, caps: QuerySet[SpendingCap]) -> None:
        count = 0
        for cap in caps.select_related("tenant"):
            services.cap_lift(tenant=cap.tenant, actor=operator(request), now=timezone.now())
            count += 1
        text = ngettext("%d spending cap lifted.", "%d spending caps lifted.", count) % count
        self.message_user(request, text, messages.SUCCESS)


@admin.register(CapChange)
class CapChangeAdmin(ReadOnly, ModelAdmin):
    """Why the close forgave what it did: which cap stood when."""

    list_display = ["written_at", "subscription", "requests", "was_carried_over"]
    search_fields = ["subscription__tenant__name", "subscription__tenant__uuid"]
    list_select_related = ["subscription__tenant", "subscription__plan"]
    date_hierarchy = "written_at"


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "pack", "percent", "most_per_period", "is_on", "off_reason", "set_at"]
    list_filter = ["is_on", "pack"]
    search_fields = ["tenant__name", "tenant__uuid"]
    list_select_related = ["tenant", "pack"]
    actions = ["turn_off"]

    @admin.action(description=_("Turn automatic top-up off"), permissions=["act"])
    def turn_off(self, request: HttpRequest, top_ups: QuerySet[AutoTopUp]) -> None:
        count = 0
        for top_up in top_ups.filter(is_on=True).select_related("tenant"):
            services.auto_top_up_stop(
                tenant=top_up.tenant, actor=operator(request), now=timezone.now()
            )
            count += 1
        text = ngettext("%d top-up turned off.", "%d top-ups turned off.", count) % count
        self.message_user(request, text, messages.SUCCESS)

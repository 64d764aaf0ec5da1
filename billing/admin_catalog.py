"""What is sold, in the admin: plans with their prices, and packs."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from billing.forms import NewPriceForm, PackPriceForm
from billing.models import ExtensionPack, PackPrice, Plan, PriceVersion, Subscription
from billing.money import display, display_unit
from billing.usage_prices import steps_of
from tenants.admin_tools import ReadOnly, operator


class PriceVersionInline(ReadOnly, TabularInline):
    """Prices never change; the form above them makes the next version."""

    model = PriceVersion
    extra = 0
    fields = ["currency", "number", "fee", "setup", "trial_days", "tiers", "created_at"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceVersion]:
        prices: QuerySet[PriceVersion] = super().get_queryset(request)
        return prices.prefetch_related("tiers")

    @admin.display(description=_("monthly fee"))
    def fee(self, price: PriceVersion) -> str:
        return display(price.monthly_fee, price.currency)

    @admin.display(description=_("setup fee"))
    def setup(self, price: PriceVersion) -> str:
        return display(price.setup_fee, price.currency)

    @admin.display(description=_("prices by tier"))
    def tiers(self, price: PriceVersion) -> str:
        steps = [
            (meter.label, tier.up_to or "∞", display_unit(tier.unit_amount, price.currency))
            for meter, tiers in steps_of(price).items()
            for tier in tiers
        ]
        return format_html_join(mark_safe("<br>"), "{} ≤ {}: {}", steps) or "–"


@admin.register(Plan)
class PlanAdmin(ModelAdmin):
    list_display = ["name", "code", "usage_plan", "overage", "is_public", "subscribers"]
    list_filter = ["is_public", "overage"]
    search_fields = ["name", "code"]
    inlines = [PriceVersionInline]
    form = NewPriceForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "overage"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        form.save_price(plan=obj, actor=operator(request), now=timezone.now())

    @admin.display(description=_("subscribers"))
    def subscribers(self, plan: Plan) -> str:
        url = reverse("admin:billing_subscription_changelist")
        count = Subscription.objects.filter(plan=plan, state="active").count()
        query = f"?plan__id__exact={plan.pk}&state__exact=active"
        return format_html('<a href="{}{}">{}</a>', url, query, count)


class PackPriceInline(TabularInline):
    model = PackPrice
    form = PackPriceForm
    extra = 0


@admin.register(ExtensionPack)
class ExtensionPackAdmin(ModelAdmin):
    list_display = ["name", "code", "requests", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "code"]
    inlines = [PackPriceInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # taken off sale instead; orders refer to it

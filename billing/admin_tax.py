"""Tax in the admin: rates, rates of exchange, tenants' details, and confirmations by VIES."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.models import Currency, ExchangeRate, TaxDetails, TaxRate, ViesCheck, ViesConfirmation
from billing.services.taxes import exchange_rate_set
from billing.services.vies import vies_confirm
from billing.tax_tables import confirmation_of
from tenants.admin_tools import ReadOnly, operator


@admin.register(TaxRate)
class TaxRateAdmin(ModelAdmin):
    """A new rate is a new row: from its first day on it counts instead of the one before."""

    list_display = ["country", "name", "rate", "valid_from", "valid_until"]
    list_filter = ["country"]
    search_fields = ["country", "name"]


class ExchangeRateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ExchangeRate
        fields = ["currency", "home_currency", "rate", "day", "source"]

    currency = forms.ChoiceField(label=_("currency"), choices=Currency.choices)
    rate = forms.DecimalField(
        label=_("rate of exchange"), min_value=0, max_digits=18, decimal_places=8,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("What one unit is worth, for example 151.23 for a dollar in yen."),
    )  # fmt: skip


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ModelAdmin):
    form = ExchangeRateForm
    list_display = ["day", "currency", "home_currency", "rate", "source"]
    list_filter = ["currency", "home_currency"]
    date_hierarchy = "day"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # invoices say it; another day's rate is another row

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ExchangeRate, form: Any, change: bool) -> None:
        saved = exchange_rate_set(
            currency=obj.currency,
            home_currency=obj.home_currency,
            day=obj.day,
            rate=obj.rate,
            source=obj.source,
            actor=operator(request),
            now=timezone.now(),
        )
        obj.pk = saved.pk


@admin.register(TaxDetails)
class TaxDetailsAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "legal_name", "country", "tax_id", "is_confirmed", "saved_at"]
    list_filter = ["country"]
    search_fields = ["tenant__uuid", "tenant__name", "legal_name", "tax_id"]
    list_select_related = ["tenant"]

    @admin.display(description=_("confirmed by VIES"), boolean=True)
    def is_confirmed(self, details: TaxDetails) -> bool:
        return confirmation_of(details) is not None


@admin.register(ViesCheck)
class ViesCheckAdmin(ReadOnly, ModelAdmin):
    """What a machine asks VIES. Where a member state tells no name, an operator goes on."""

    list_display = ["tenant", "tax_id", "name", "outcome", "attempts", "due_at", "error"]
    list_filter = ["outcome"]
    search_fields = ["tenant__uuid", "tenant__name", "tax_id"]
    list_select_related = ["tenant"]


@admin.register(ViesConfirmation)
class ViesConfirmationAdmin(ModelAdmin):
    """An operator asks VIES (https://ec.europa.eu/taxation_customs/vies/) and enters its answer."""

    list_display = [
        "tenant", "tax_id", "name", "request_id", "confirmed_at", "confirmed_by", "ended_at",
    ]  # fmt: skip
    search_fields = ["tenant__uuid", "tenant__name", "tax_id", "request_id"]
    list_select_related = ["tenant", "confirmed_by"]
    fields = ["tenant", "tax_id", "name", "address", "request_id"]
    autocomplete_fields = ["tenant"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # proof: another answer is another row

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: ViesConfirmation, form: Any, change: bool
    ) -> None:
        saved = vies_confirm(
            tenant=obj.tenant,
            tax_id=obj.tax_id,
            name=obj.name,
            address=obj.address,
            request_id=obj.request_id,
            actor=operator(request),
            now=timezone.now(),
        )
        obj.pk = saved.pk

"""Stripe's balance transactions in the admin: read-only, as Stripe tells them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing.models import BalanceTransaction
from billing.money import display
from tenants.admin_tools import ReadOnly


@admin.register(BalanceTransaction)
class BalanceTransactionAdmin(ReadOnly, ModelAdmin):
    list_display = [
        "created_at", "type", "amount_display", "fee_display", "source_id", "payout_id",
        "booked_at",
    ]  # fmt: skip
    list_filter = ["type", ("booked_at", admin.EmptyFieldListFilter), "currency"]
    search_fields = ["stripe_id", "source_id", "payment_intent_id", "payout_id"]
    date_hierarchy = "created_at"

    @admin.display(description=_("amount"))
    def amount_display(self, row: BalanceTransaction) -> str:
        return display(row.amount, row.currency)

    @admin.display(description=_("fee"))
    def fee_display(self, row: BalanceTransaction) -> str:
        return display(row.fee, row.currency)

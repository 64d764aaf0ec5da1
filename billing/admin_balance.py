"""Stripe's balance transactions in the admin: read-only, as Stripe tells them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.admin_money import MoneyAdmin, money
from billing.models import BalanceTransaction


@admin.register(BalanceTransaction)
class BalanceTransactionAdmin(MoneyAdmin):
    amounts = {
        "amount": money("amount", _("amount")),
        "fee": money("fee", _("fee")),
        "net": money("net", _("net")),
        "source_amount": money("source_amount", _("source's amount"), currency="source_currency"),
    }
    list_display = [
        "created_at", "type", amounts["amount"], amounts["fee"], "source_id", "payout_id",
        "booked_at",
    ]  # fmt: skip
    list_filter = ["type", ("booked_at", admin.EmptyFieldListFilter), "currency"]
    search_fields = ["stripe_id", "source_id", "payment_intent_id", "payout_id"]
    date_hierarchy = "created_at"

"""The books and the refunds in the admin. Postings are only ever added, by services."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from billing.admin_money import MoneyAdmin, money
from billing.models import Entry, Posting, Refund
from billing.money import display
from tenants.admin_tools import ReadOnly


class EntryInline(ReadOnly, TabularInline):
    model = Entry
    extra = 0
    fields = ["account", money("amount", _("amount"), currency="posting.currency")]
    readonly_fields = fields


@admin.register(Posting)
class PostingAdmin(ReadOnly, ModelAdmin):
    list_display = ["posted_at", "key", "tenant", "invoice", "amount"]
    list_filter = ["currency", "entries__account"]
    search_fields = ["key", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "invoice"]
    date_hierarchy = "posted_at"
    inlines = [EntryInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        postings: QuerySet[Posting] = super().get_queryset(request)
        return postings.annotate(
            debits=Sum("entries__amount", filter=Q(entries__amount__gt=0), default=0)
        )

    @admin.display(description=_("amount"))
    def amount(self, posting: Any) -> str:
        return display(posting.debits, posting.currency)


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    amounts = {
        "amount": money("amount", _("amount"), currency="payment.currency"),
        "owed_back": money("owed_back", _("owed already"), currency="payment.currency"),
    }
    list_display = [
        "created_at", "payment", amounts["amount"], "made_at_stripe", "state", "reason",
        "failure_message",
    ]  # fmt: skip
    list_filter = ["state", "made_at_stripe", "payment__currency"]
    search_fields = [
        "uuid", "stripe_id", "payment__payment_intent_id", "payment__invoice__tenant__name",
        "payment__invoice__tenant__uuid",
    ]  # fmt: skip
    list_select_related = ["payment__invoice"]
    date_hierarchy = "created_at"

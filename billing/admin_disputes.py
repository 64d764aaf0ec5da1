"""Disputes in the admin: read-only, they are answered in Stripe's dashboard."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from billing import payments
from billing.admin_money import MoneyAdmin, money
from billing.models import Dispute


@admin.register(Dispute)
class DisputeAdmin(MoneyAdmin):
    amounts = {
        "amount": money("amount", _("amount")),
        "reinstated": money("reinstated", _("reinstated")),
        "owed_back": money("owed_back", _("owed already")),
    }
    list_display = [
        "opened_at", "paid", amounts["amount"], "reason", "status", "evidence_due_by", "at_stripe",
    ]  # fmt: skip
    list_filter = ["status", ("closed_at", admin.EmptyFieldListFilter), "currency"]
    search_fields = [
        "stripe_id", "payment_intent_id", "payment__invoice__tenant__name",
        "payment__invoice__tenant__uuid", "order__tenant__name", "order__tenant__uuid",
    ]  # fmt: skip
    list_select_related = ["payment__invoice", "order"]
    date_hierarchy = "opened_at"

    @admin.display(description=_("of"))
    def paid(self, dispute: Dispute) -> str:
        """Link to the invoice that was paid, or to the order where there is none."""
        of = dispute.payment.invoice if dispute.payment else dispute.order
        name = "invoice" if dispute.payment else "order"
        url = reverse(f"admin:billing_{name}_change", args=[of.pk if of else None])
        return format_html('<a href="{}">{}</a>', url, of)

    @admin.display(description=_("answer it"))
    def at_stripe(self, dispute: Dispute) -> str:
        url = payments.payment_page(payment_intent_id=dispute.payment_intent_id)
        return format_html('<a href="{}">Stripe</a>', url)


@admin.display(description=_("disputes"))
def disputes_of(payment: Any) -> str:
    """Link to the disputes of a payment, by what became of them."""
    rows = [
        (reverse("admin:billing_dispute_change", args=[dispute.pk]), dispute.get_status_display())
        for dispute in payment.disputes.all()
    ]
    return format_html_join(", ", '<a href="{}">{}</a>', rows) or "–"

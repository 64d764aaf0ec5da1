"""The nightly comparisons with Stripe in the admin: what each found."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing.models import Reconciliation
from billing.words import words_of
from tenants.admin_tools import ReadOnly

_PARTS = {
    "events": _("events"),
    "balance": _("Stripe's balance"),
    "disputes": _("disputes"),
    "proof": _("proof of the books"),
}


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly, ModelAdmin):
    list_display = ["started_at", "finished_at", "differences"]
    list_filter = [("finished_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "started_at"
    fields = ["started_at", "finished_at", "differences", "lines"]
    readonly_fields = fields

    @admin.display(description=_("findings"))
    def lines(self, row: Reconciliation) -> str:
        lines = (
            (
                "≠ " if one["is_difference"] else "",
                _PARTS.get(one["part"], one["part"]),
                words_of(one["words"]),
            )
            for one in row.findings
        )
        return format_html_join(mark_safe("<br>"), "{}{}: {}", lines)

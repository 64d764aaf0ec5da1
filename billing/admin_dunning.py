"""Dunning in the admin: the schedule, and each case with what was done in it."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing import services
from billing.models import DunningCase, DunningStep
from billing.money import display
from billing.overdue import overdue_row
from tenants.admin_tools import ReadOnly, ask, is_answered, operator
from tenants.errors import Refused


@admin.register(DunningStep)
class DunningStepAdmin(ModelAdmin):
    list_display = ["day", "act"]


@admin.register(DunningCase)
class DunningCaseAdmin(ReadOnly, ModelAdmin):
    list_display = ["opened_at", "invoice_link", "tenant", "due", "is_paused", "closed_at"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter), "is_paused"]
    search_fields = ["invoice__sequence", "invoice__tenant__uuid", "invoice__tenant__name"]
    list_select_related = ["invoice__tenant"]
    date_hierarchy = "opened_at"
    fields = ["invoice_link", "tenant", "due", "opened_at", "is_paused", "closed_at", "steps"]
    readonly_fields = fields
    actions = ["pause", "go_on", "give_up"]

    @admin.display(description=_("invoice"))
    def invoice_link(self, case: DunningCase) -> str:
        url = reverse("admin:billing_invoice_change", args=[case.invoice_id])
        return format_html('<a href="{}">{}</a>', url, case.invoice)

    @admin.display(description=_("tenant"))
    def tenant(self, case: DunningCase) -> str:
        return str(case.invoice.tenant)

    @admin.display(description=_("to pay"))
    def due(self, case: DunningCase) -> str:
        return display(case.invoice.amount_due, case.invoice.currency)

    @admin.display(description=_("steps"))
    def steps(self, case: DunningCase) -> str:
        row = overdue_row(case, list(DunningStep.objects.all()), timezone.now())
        done = [(f"{step.at:%Y-%m-%d %H:%M}", step.what, step.outcome) for step in row.past]
        ahead = [(f"{step.on:%Y-%m-%d}", step.what, "–") for step in row.ahead]
        return format_html_join(mark_safe("<br>"), "{}: {}: {}", done + ahead)

    @admin.action(description=_("Pause: take no more steps"), permissions=["act"])
    def pause(self, request: HttpRequest, cases: QuerySet[DunningCase]) -> None:
        self._pause(request, cases, is_paused=True)

    @admin.action(description=_("Go on with the steps"), permissions=["act"])
    def go_on(self, request: HttpRequest, cases: QuerySet[DunningCase]) -> None:
        self._pause(request, cases, is_paused=False)

    def _pause(
        self, request: HttpRequest, cases: QuerySet[DunningCase], *, is_paused: bool
    ) -> None:
        for case in cases:
            services.case_pause(
                case=case, is_paused=is_paused, actor=operator(request), now=timezone.now()
            )

    @admin.action(
        description=_("Give up: write the invoices off, and let the keys work again"),
        permissions=["act"],
    )
    def give_up(
        self, request: HttpRequest, cases: QuerySet[DunningCase]
    ) -> TemplateResponse | None:
        """Say what would be written off; do it once that is confirmed."""
        if not is_answered(request):
            chosen = ", ".join(f"{case.invoice} ({self.due(case)})" for case in cases)
            return ask(
                self,
                request,
                form=forms.Form(),
                title=str(_("Write off")),
                explanation=str(_("Written off as losses: %(invoices)s.")) % {"invoices": chosen},
            )
        for case in cases:
            try:
                services.case_give_up(case=case, actor=operator(request), now=timezone.now())
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
        return None

"""Stripe's events in the admin: what became of each; processed again, or ignored for a reason."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import payments, services
from billing.models import StripeEvent
from tenants.admin_tools import ReadOnly, ask, is_answered, operator
from tenants.errors import Refused


class IgnoreForm(forms.Form):
    """Why an operator leaves events as they are."""

    reason = forms.CharField(label=_("reason"), max_length=200, widget=UnfoldAdminTextInputWidget)


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, ModelAdmin):
    list_display = [
        "received_at", "type", "object_id", "source", "status", "error", "ignored_reason",
    ]  # fmt: skip
    list_filter = ["status", "source", "type"]
    search_fields = ["event_id", "object_id"]
    date_hierarchy = "received_at"
    actions = ["replay", "ignore"]

    @admin.action(description=_("Process again"), permissions=["act"])
    def replay(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        done = 0
        for event in events:
            try:
                services.event_process(event=event, now=timezone.now())
                done += 1
            except payments.PaymentError as error:
                self.message_user(request, f"{event}: {error}", messages.ERROR)
        text = ngettext("%d event processed.", "%d events processed.", done) % done
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(
        description=_("Ignore: have no reconciliation tell of them any more"), permissions=["act"]
    )
    def ignore(
        self, request: HttpRequest, events: QuerySet[StripeEvent]
    ) -> TemplateResponse | None:
        """Ask for the reason, then ignore those that failed."""
        form = IgnoreForm(request.POST if is_answered(request) else None)
        if not form.is_valid():
            return ask(
                self,
                request,
                form=form,
                title=gettext("Ignore failed events"),
                explanation=gettext(
                    "What they tell of is not done. They can still be processed again."
                ),
            )
        done = 0
        for event in events:
            try:
                services.event_ignore(
                    event=event,
                    reason=form.cleaned_data["reason"],
                    actor=operator(request),
                    now=timezone.now(),
                )
                done += 1
            except Refused as refusal:
                self.message_user(request, f"{event}: {refusal}", messages.ERROR)
        if done:
            text = ngettext("%d event ignored.", "%d events ignored.", done) % done
            self.message_user(request, text, messages.SUCCESS)
        return None

"""The operator's view of webhooks to tenants: where they go, and what became of each."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from tenants.admin_tools import ReadOnly
from tenants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnly, ModelAdmin):
    list_display = ["url", "tenant", "is_active", "disabled_reason", "failing_since", "created_at"]
    list_filter = ["disabled_reason"]
    search_fields = ["uuid", "url", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    fields = [
        "uuid", "tenant", "url", "description", "event_types", "disabled_at", "disabled_reason",
        "failing_since", "secret_revealed_at", "previous_secret_until", "created_by", "created_at",
    ]  # fmt: skip

    @admin.display(description=_("active"), boolean=True)
    def is_active(self, endpoint: WebhookEndpoint) -> bool:
        return endpoint.is_active


class WebhookAttemptInline(ReadOnly, TabularInline):
    model = WebhookAttempt
    extra = 0
    fields = ["started_at", "ended_at", "url", "status", "failure", "failure_detail"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, ModelAdmin):
    list_display = ["event", "tenant", "endpoint", "state", "attempts", "next_attempt_at"]
    list_filter = ["state", "event__type"]
    search_fields = ["uuid", "event__uuid", "endpoint__tenant__uuid", "endpoint__tenant__name"]
    list_select_related = ["event", "endpoint__tenant"]
    inlines = [WebhookAttemptInline]
    fields = ["uuid", "event", "endpoint", "state", "attempts", "next_attempt_at", "created_at"]

    @admin.display(description=_("tenant"))
    def tenant(self, delivery: WebhookDelivery) -> str:
        return str(delivery.endpoint.tenant)

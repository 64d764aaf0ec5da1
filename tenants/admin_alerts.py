"""The operator's view of alerts: what tenants were told, and how they want to be told."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import Alert, AlertSettings


@admin.register(Alert)
class AlertAdmin(ReadOnly, ModelAdmin):
    list_display = ["raised_at", "tenant", "kind", "key", "seen_at"]
    list_filter = ["kind"]
    search_fields = ["key", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "raised_at"


@admin.register(AlertSettings)
class AlertSettingsAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "quota_percents", "spending_percents", "not_mailed"]
    search_fields = ["tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]

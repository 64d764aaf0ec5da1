"""Tokens as an operator sees them: which there are, and never a value."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, ModelAdmin):
    list_display = ["name", "last_four", "tenant", "user", "created_at", "expires_at",
                    "last_used_on", "revoked_at"]  # fmt: skip
    search_fields = ["tenant__uuid", "tenant__name", "user__email", "name", "last_four"]
    list_select_related = ["tenant", "user"]
    date_hierarchy = "created_at"

"""The operator's view of what was found to differ at the gateway (docs/drift.md)."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import GatewayDrift


@admin.register(GatewayDrift)
class GatewayDriftAdmin(ReadOnly, ModelAdmin):
    """What stands comes first."""

    list_display = ["kind", "tenant", "version", "gateway_plan", "gateway_id", "found_at",
                    "seen_at", "ended_at"]  # fmt: skip
    list_filter = [("ended_at", admin.EmptyFieldListFilter), "kind"]
    search_fields = [
        "gateway_id",
        "version__api_key__tenant__uuid",
        "version__api_key__tenant__name",
    ]
    list_select_related = ["version__api_key__tenant", "gateway_plan__usage_plan"]
    date_hierarchy = "found_at"

    @admin.display(description=_("tenant"))
    def tenant(self, drift: GatewayDrift) -> Any:
        return drift.version.api_key.tenant if drift.version else None

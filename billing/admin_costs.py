"""Unit costs in the admin. A new price is a new row: it counts from the month after its first day,
or from that one.
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from billing.models import UnitCost


@admin.register(UnitCost)
class UnitCostAdmin(ModelAdmin):
    list_display = ["unit", "dollars", "free", "region", "valid_from", "source"]
    list_filter = ["unit", "region"]
    search_fields = ["source"]

    @admin.display(description=_("price (US dollars)"))
    def dollars(self, cost: UnitCost) -> str:
        return f"{cost.price.normalize():f}"

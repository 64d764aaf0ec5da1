"""The operator's view of the live meter: how far it has come, where it differs from the bill."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.functions import Abs
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import LiveDay, LiveMeter


@admin.register(LiveMeter)
class LiveMeterAdmin(ReadOnly, ModelAdmin):
    """One row, none before the meter was first seen."""

    list_display = ["come_to", "lag", "newest_at", "read_to"]

    @admin.display(description=_("figures as of"))
    def come_to(self, meter: LiveMeter) -> Any:
        return meter.come_to

    @admin.display(description=_("lag"))
    def lag(self, meter: LiveMeter) -> timedelta:
        return timedelta(seconds=round((timezone.now() - meter.come_to).total_seconds()))


class DiffersFilter(admin.SimpleListFilter):
    """The days on which an operator should look: LiveDay.differs, in the database's words."""

    title = _("difference")
    parameter_name = "differs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("more than 1 % and 10 requests"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LiveDay]) -> QuerySet[LiveDay]:
        if self.value() != "yes":
            return queryset
        apart = Abs(F("requests") - F("billed"), output_field=BigIntegerField())
        queryset = queryset.alias(apart=apart).filter(apart__gt=10)
        return queryset.filter(apart__gt=F("billed") / 100)


@admin.register(LiveDay)
class LiveDayAdmin(ReadOnly, ModelAdmin):
    list_display = ["day", "tenant", "version", "requests", "billed", "difference", "throttled",
                    "refused"]  # fmt: skip
    list_filter = [DiffersFilter, "day"]
    search_fields = ["version__api_key__tenant__uuid", "version__api_key__tenant__name"]
    list_select_related = ["version__api_key__tenant"]
    date_hierarchy = "day"

    @admin.display(description=_("tenant"))
    def tenant(self, day: LiveDay) -> str:
        return str(day.version.api_key.tenant)

    @admin.display(description=_("difference"))
    def difference(self, day: LiveDay) -> int | None:
        return day.difference

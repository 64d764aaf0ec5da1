"""The operator's view of conversions: uploads and the edge to look at, how long files are kept."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from conversions import services
from conversions.admin_presets import PresetAdmin  # noqa: F401  (it registers)
from conversions.admin_remakes import RemakeAdmin  # noqa: F401  (it registers)
from conversions.models import Conversion, EdgeItem, Retention, Upload
from tenants.admin_tools import ReadOnly, operator


class ConversionInline(ReadOnly, TabularInline):
    model = Conversion
    extra = 0
    fields = ["preset_code", "preset_version", "state", "width", "height", "bytes", "error_code"]


@admin.register(Upload)
class UploadAdmin(ReadOnly, ModelAdmin):
    list_display = ["filename", "tenant_link", "state", "bytes", "created_at", "finished_at"]
    list_filter = ["state", "error_code", "format"]
    search_fields = ["filename", "uuid", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "created_at"
    inlines = [ConversionInline]
    fields = [
        "uuid", "filename", "tenant_link", "created_by", "state", "error_code", "declared_size",
        "declared_type", "format", "width", "height", "bytes", "variants_expected", "created_at",
        "finished_at", "deleted_at",
    ]  # fmt: skip
    readonly_fields = ["uuid", "tenant_link"]

    @admin.display(description=_("tenant"), ordering="tenant__name")
    def tenant_link(self, upload: Upload) -> str:
        url = reverse("admin:tenants_tenant_change", args=[upload.tenant_id])
        return format_html('<a href="{}">{}</a>', url, upload.tenant)


@admin.register(Retention)
class RetentionAdmin(ModelAdmin):
    """A row per usage plan. Without one, its tenants' files are kept until they are deleted."""

    list_display = ["usage_plan", "days", "set_on"]
    list_select_related = ["usage_plan"]
    fields = ["usage_plan", "days", "set_on"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["usage_plan", "set_on"] if obj else ["set_on"]

    def save_model(self, request: HttpRequest, obj: Retention, form: Any, change: bool) -> None:
        services.retention_save(retention=obj, now=timezone.now(), actor=operator(request))

    def delete_model(self, request: HttpRequest, obj: Retention) -> None:
        services.retention_delete(retention=obj, now=timezone.now(), actor=operator(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Retention]) -> None:
        for retention in queryset.select_related("usage_plan"):
            self.delete_model(request, retention)


@admin.register(EdgeItem)
class EdgeItemAdmin(ReadOnly, ModelAdmin):
    list_display = ["key", "is_published", "revision", "published_at"]
    search_fields = ["key"]

    @admin.display(description=_("published"), boolean=True)
    def is_published(self, item: EdgeItem) -> bool:
        return item.published_revision == item.revision

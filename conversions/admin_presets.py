"""Presets in the admin: the form with its live preview. Actions call services."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from conversions import services
from conversions.admin_previews import posted_in_memory, previewed, sample
from conversions.forms import PresetForm
from conversions.models import AppliesTo, Preset
from conversions.previews import SAMPLES
from tenants.admin_tools import operator


def _remake_address(presets: Iterable[int]) -> str:
    query = urlencode({"preset": list(presets)}, doseq=True)
    return f"{reverse('admin:conversions_remake_begin')}?{query}"


@admin.register(Preset)
class PresetAdmin(ModelAdmin):
    form = PresetForm
    list_display = [
        "name", "code", "applies_to", "width", "height", "fitted", "format", "version", "is_active",
    ]  # fmt: skip
    list_filter = ["is_active", "applies_to", "format"]
    search_fields = ["code", "name"]
    actions = ["remake"]
    fieldsets = [
        (_("What"), {"fields": ["name", "code", "version", "is_active", "applies_to", "format"]}),
        (
            _("Size and fit"),
            {"fields": ["width", "height", "fit", "upscale", "focal_x", "focal_y"]},
        ),
        (
            _("Encoding"),
            {"fields": ["quality", "effort", "progressive", "animation", "line_endings"]},
        ),
        (_("Look"), {"fields": ["background", "grayscale", "sharpen"]}),
        (
            _("Watermark"),
            {
                "fields": [
                    "watermark", "watermark_position", "watermark_width", "watermark_opacity",
                ]
            },
        ),
        (_("Colours and metadata"), {"fields": ["srgb", "metadata"]}),
    ]  # fmt: skip

    class Media:
        css = {"all": ["conversions/presets.css"]}
        js = [Script("conversions/presets.js", type="module")]

    @admin.display(description=_("fit"), ordering="fit", empty_value="-")
    def fitted(self, preset: Preset) -> str | None:
        """Return how it fits into the box, which texts do not have."""
        return None if preset.applies_to == AppliesTo.TEXT else preset.get_fit_display()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "version"] if obj else ["version"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Preset]:
        presets: QuerySet[Preset] = super().get_queryset(request)
        return presets.defer("watermark")  # of which lists show nothing

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # switched off instead; conversions refer to its code

    def save_model(self, request: HttpRequest, obj: Preset, form: Any, change: bool) -> None:
        before = obj.version if change else 0
        services.preset_save(preset=obj, now=timezone.now(), actor=operator(request))
        if obj.is_active and obj.version != before:
            text = _("Uploads that are there do not have version %(version)d of this variant.")
            messages.info(
                request,
                format_html(
                    '{} <a class="underline" href="{}">{}</a>',
                    text % {"version": obj.version},
                    _remake_address([obj.pk]),
                    gettext("Make it of them"),
                ),
            )

    @admin.action(description=_("Make these variants of the uploads that are there"))
    def remake(self, request: HttpRequest, presets: QuerySet[Preset]) -> HttpResponse:
        return HttpResponseRedirect(_remake_address(presets.values_list("pk", flat=True)))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        preview_view = posted_in_memory(view(require_POST(self.preview_view)))
        return [
            path("preview/", preview_view, name="conversions_preset_preview"),
            path("samples/<slug:code>/", view(sample), name="conversions_preset_sample"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["samples"] = SAMPLES.values()
        answer: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return answer

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with the variant that the form's fields make of a sample, or of a file posted."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        return previewed(request)

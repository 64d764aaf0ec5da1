"""Runs of re-making in the admin: to begin one, to see how far it is, to cancel it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from conversions import services
from conversions.models import Preset, Remake, RemakeState
from conversions.selectors.remakes import remake_missing, remake_progress
from tenants.admin_tools import ReadOnly, operator
from tenants.errors import Refused

MOST_SHOWN = 8  # runs of a preset


@admin.register(Remake)
class RemakeAdmin(ReadOnly, ModelAdmin):
    list_display = [
        "preset", "preset_version", "state", "progress", "asked_for", "total", "started_by",
        "created_at", "finished_at",
    ]  # fmt: skip
    list_filter = ["state", "preset"]
    list_select_related = ["preset", "started_by"]
    date_hierarchy = "created_at"
    fields = [
        "preset", "preset_version", "state", "progress", "total", "looked_at", "asked_for",
        "started_by", "created_at", "finished_at",
    ]  # fmt: skip
    readonly_fields = ["progress"]

    @admin.display(description=_("made"))
    def progress(self, remake: Remake) -> str:
        return f"{remake_progress(remake=remake).percent} %"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Remake]:
        remakes: QuerySet[Remake] = super().get_queryset(request)
        return remakes.defer("preset__watermark")

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, "conversions_remake"
        of_preset, cancel = view(self.of_preset_view), view(require_POST(self.cancel_view))
        return [
            path("begin/", view(self.begin_view), name=f"{name}_begin"),
            path("of/<int:preset_id>/", of_preset, name=f"{name}_of_preset"),
            path("<int:remake_id>/cancel/", cancel, name=f"{name}_cancel"),
            *super().get_urls(),
        ]

    def begin_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to begin, with how many uploads there are; on POST begin."""
        _demand(request)
        chosen = [int(pk) for pk in request.GET.getlist("preset") if pk.isdecimal()]
        presets = Preset.objects.filter(pk__in=chosen).defer("watermark")
        if request.method == "POST":
            return self._begun(request, presets)
        now = timezone.now()
        rows = [(preset, remake_missing(preset=preset, before=now)) for preset in presets]
        return TemplateResponse(
            request,
            "admin/conversions/remake/begin.html",
            {
                **self.admin_site.each_context(request),
                "title": gettext("Make variants of the uploads that are there"),
                "opts": self.opts,
                "rows": rows,
                "total": sum(missing for _preset, missing in rows),
            },
        )

    def _begun(self, request: HttpRequest, presets: QuerySet[Preset]) -> HttpResponse:
        for preset in presets:
            try:
                remake = services.remake_start(
                    preset=preset, actor=operator(request), now=timezone.now()
                )
            except Refused as refusal:
                messages.error(request, str(refusal))
                continue
            text = ngettext(
                "“%(name)s” is being made of %(count)d upload.",
                "“%(name)s” is being made of up to %(count)d uploads.",
                remake.total,
            )
            messages.success(request, text % {"name": preset, "count": remake.total})
        if len(presets) == 1:
            address = reverse("admin:conversions_preset_change", args=[presets[0].pk])
            return HttpResponseRedirect(address)
        return HttpResponseRedirect(reverse("admin:conversions_remake_changelist"))

    def of_preset_view(self, request: HttpRequest, preset_id: int) -> HttpResponse:
        """Answer with a preset's runs, for its page, which asks again while one goes on."""
        _demand(request)
        preset = get_object_or_404(Preset.objects.defer("watermark"), pk=preset_id)
        return self._runs(request, preset)

    def cancel_view(self, request: HttpRequest, remake_id: int) -> HttpResponse:
        """Cancel a run; answer with its preset's runs."""
        _demand(request)
        remake = get_object_or_404(Remake.objects.select_related("preset"), pk=remake_id)
        services.remake_cancel(remake=remake, actor=operator(request), now=timezone.now())
        return self._runs(request, remake.preset)

    def _runs(self, request: HttpRequest, preset: Preset) -> HttpResponse:
        remakes = Remake.objects.filter(preset=preset).select_related("preset", "started_by")
        shown = remakes.defer("preset__watermark")[:MOST_SHOWN]
        runs = [(remake, remake_progress(remake=remake)) for remake in shown]
        is_running = bool(runs) and runs[0][0].state == RemakeState.RUNNING
        context: dict[str, Any] = {
            "preset": preset,
            "runs": runs,
            "is_running": is_running,
            "is_moving": bool(runs) and runs[0][1].is_moving,
        }
        if not is_running:
            context["missing"] = remake_missing(preset=preset, before=timezone.now())
        return TemplateResponse(request, "admin/conversions/remake/runs.html", context)


def _demand(request: HttpRequest) -> None:
    """Let nobody further who may not change presets."""
    if not operator(request).has_perm("conversions.change_preset"):
        raise PermissionDenied

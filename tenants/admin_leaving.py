"""Tenants that are deleted: an operator asks for it, keeps one, and sees where one stands."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from tenants import services
from tenants.admin_tools import ReadOnly, operator
from tenants.errors import Refused
from tenants.models import LeavingPart, Tenant


@admin.action(description=_("Delete, after the days of grace"), permissions=["change"])
def leave(model_admin: ModelAdmin, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
    """Stop their keys; their owners are told, and can keep them until the grace is over."""
    count = _each(model_admin, request, tenants, services.tenant_leave)
    text = ngettext("%d tenant is being deleted.", "%d tenants are being deleted.", count)
    model_admin.message_user(request, text % count, messages.SUCCESS)


@admin.action(description=_("Keep after all"), permissions=["change"])
def keep(model_admin: ModelAdmin, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
    """Keep those that are being deleted and whose grace is not over."""
    count = _each(model_admin, request, tenants, services.tenant_keep)
    text = ngettext("%d tenant is kept.", "%d tenants are kept.", count)
    model_admin.message_user(request, text % count, messages.SUCCESS)


def _each(
    model_admin: ModelAdmin,
    request: HttpRequest,
    tenants: QuerySet[Tenant],
    act: Callable[..., Tenant],
) -> int:
    count, now = 0, timezone.now()
    for tenant in tenants:
        try:
            act(tenant=tenant, actor=operator(request), now=now)
            count += 1
        except Refused as refusal:
            model_admin.message_user(request, f"{tenant}: {refusal}", messages.ERROR)
    return count


@admin.register(LeavingPart)
class LeavingPartAdmin(ReadOnly, ModelAdmin):
    """What a tenant whose grace is over still waits for."""

    list_display = ["tenant", "app", "begun_at", "waits_for", "done_at"]
    list_filter = ["app", ("done_at", admin.EmptyFieldListFilter)]
    search_fields = ["tenant__uuid"]
    list_select_related = ["tenant"]

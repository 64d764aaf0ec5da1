"""The operator's view of invitations."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import Invitation


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, ModelAdmin):
    list_display = ["email", "tenant", "role", "state", "invited_by", "created_at", "expires_at"]
    list_filter = ["state", "role"]
    search_fields = ["email", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "invited_by"]
    date_hierarchy = "created_at"

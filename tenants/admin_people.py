"""The operator's view of invitations, and of the mails that people got."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from tenants.admin_tools import ReadOnly
from tenants.models import Invitation, Mail


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, ModelAdmin):
    list_display = ["email", "tenant", "role", "state", "invited_by", "created_at", "expires_at"]
    list_filter = ["state", "role"]
    search_fields = ["email", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "invited_by"]
    date_hierarchy = "created_at"


@admin.register(Mail)
class MailAdmin(ReadOnly, ModelAdmin):
    list_display = ["created_at", "kind", "to", "tenant", "sent_at", "error"]
    list_filter = ["kind"]
    search_fields = ["to", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "created_at"

"""Mails about money in the admin: what was sent, what waits, and once more where it was lost."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from billing import services
from billing.models import Notice
from tenants.admin_tools import ReadOnly


@admin.register(Notice)
class NoticeAdmin(ReadOnly, ModelAdmin):
    list_display = ["created_at", "tenant", "kind", "key", "sent_at", "error"]
    list_filter = ["kind", "for_operators", ("sent_at", admin.EmptyFieldListFilter)]
    search_fields = ["key", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "created_at"
    actions = ["send_again"]

    @admin.action(description=_("Send again"), permissions=["act"])
    def send_again(self, request: HttpRequest, notices: QuerySet[Notice]) -> None:
        for notice in notices:
            services.notice_send_again(notice=notice)
        count = len(notices)
        text = ngettext("%d mail is sent again.", "%d mails are sent again.", count) % count
        self.message_user(request, text)

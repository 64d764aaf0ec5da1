"""Mails in the admin: what was sent, what waits, and once more where it was lost."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from tenants import services
from tenants.admin_tools import ReadOnly
from tenants.models import Mail


@admin.register(Mail)
class MailAdmin(ReadOnly, ModelAdmin):
    list_display = ["created_at", "kind", "to", "tenant", "sent_at", "error"]
    list_filter = ["kind", ("sent_at", admin.EmptyFieldListFilter)]
    search_fields = ["to", "key", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "created_at"
    actions = ["send_again"]

    @admin.action(description=_("Send again"), permissions=["act"])
    def send_again(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        for mail in mails:
            services.mail_send_again(mail=mail, now=timezone.now())
        count = len(mails)
        text = ngettext("%d mail is sent again.", "%d mails are sent again.", count) % count
        self.message_user(request, text)

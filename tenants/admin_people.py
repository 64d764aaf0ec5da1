"""People in the admin: accounts and invitations."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from tenants import services
from tenants.admin_tools import ReadOnly, ask, is_answered, may_touch, operator
from tenants.errors import Refused
from tenants.models import Invitation, User


@admin.register(User)
class UserAdmin(ModelAdmin):
    list_display = ["email", "is_staff", "is_active", "last_login", "date_joined"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email"]
    ordering = ["email"]
    fields = ["email", "language", "is_active", "is_staff", "is_superuser", "last_login"]
    actions = ["forget"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # people sign up; operators are made by `createsuperuser`

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Let nobody make operators who is not allowed everything, themselves for one."""
        rights = [] if operator(request).is_superuser else ["is_staff", "is_superuser"]
        return [*rights, "last_login"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor take an operator's account over, by another address."""
        may: bool = super().has_change_permission(request, obj)
        return may and (obj is None or may_touch(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it would leave tenants without an owner: the action asks for one

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return operator(request).has_perm("tenants.delete_user")

    @admin.action(description=_("Delete these accounts"), permissions=["forget"])
    def forget(self, request: HttpRequest, users: QuerySet[User]) -> TemplateResponse | None:
        """Ask, then delete them as they could themselves."""
        if not is_answered(request):
            names = ", ".join(user.email for user in users)
            return ask(
                self,
                request,
                form=forms.Form(),
                title=gettext("Delete these accounts"),
                explanation=gettext("At once, and told so by mail: %(names)s.") % {"names": names},
            )
        count = 0
        for user in users:
            try:
                services.account_delete(user=user, actor=operator(request), now=timezone.now())
                count += 1
            except Refused as refusal:
                self.message_user(request, f"{user}: {refusal}", messages.ERROR)
        text = ngettext("%d account is deleted.", "%d accounts are deleted.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)
        return None


@admin.register(Invitation)
class InvitationAdmin(ReadOnly, ModelAdmin):
    list_display = ["email", "tenant", "role", "state", "invited_by", "created_at", "expires_at"]
    list_filter = ["state", "role"]
    search_fields = ["email", "tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "invited_by"]
    date_hierarchy = "created_at"

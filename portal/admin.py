"""What libraries bring into the admin, in its style: django-unfold has one for its own classes."""

from typing import Any

from allauth.account.admin import EmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa import admin as mfa
from allauth.socialaccount.admin import SocialAccountAdmin
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions import admin as usersessions
from django.contrib import admin
from django.contrib.auth import admin as auth
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat import models
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tenants.admin_tools import ReadOnly, may_touch, operator


class TaskSelectWidget(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The tasks that Celery knows, to choose from."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelectWidget()


class PeriodicTaskAdmin(beat.PeriodicTaskAdmin):
    form = PeriodicTaskForm


class PermissionAdmin(ReadOnly, ModelAdmin):
    """For the search among a group's; it is in no list of its own."""

    search_fields = ["name", "codename"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


class GroupAdmin(auth.GroupAdmin):
    filter_horizontal = ()  # its two boxes are wider than the page
    autocomplete_fields = ("permissions",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operator(request).is_superuser  # others could give themselves every permission

    has_add_permission = has_delete_permission = has_change_permission


class WayIn:
    """For what lets an account in: what `may_touch` says. A new one is for superusers alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return operator(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_touch(request, obj) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_touch(request, obj) and super().has_delete_permission(request, obj)  # type: ignore[misc]


def _may_touch(request: HttpRequest, row: Any) -> bool:
    return row is None or may_touch(request, row.user)


class AddressAdmin(WayIn, EmailAddressAdmin):
    pass


class ConnectionAdmin(WayIn, SocialAccountAdmin):
    pass


class AuthenticatorAdmin(ReadOnly, ModelAdmin):
    """Somebody's second factors, never what makes their codes. Who has lost all of them proves who
    they are to an operator, who deletes the rows: then the password alone signs in.
    """

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ["user__email"]
    fields = ("user", "type", "created_at", "last_used_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = admin.ModelAdmin.has_delete_permission(self, request, obj)
        return may and _may_touch(request, obj)


# Importing their modules has registered them.
admin.site.unregister(usersessions.UserSession)  # people end their own
admin.site.unregister(SocialApp)  # the environment has the one that there is
admin.site.unregister(SocialToken)  # none is kept
admin.site.unregister(mfa.Authenticator)
admin.site.register(mfa.Authenticator, AuthenticatorAdmin)
for model, of_library in (
    (EmailAddress, AddressAdmin),
    (Group, GroupAdmin),
    (SocialAccount, ConnectionAdmin),
    (models.ClockedSchedule, beat.ClockedScheduleAdmin),
    (models.CrontabSchedule, beat.CrontabScheduleAdmin),
    (models.IntervalSchedule, beat.IntervalScheduleAdmin),
    (models.PeriodicTask, PeriodicTaskAdmin),
    (models.SolarSchedule, beat.SolarScheduleAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, type(of_library.__name__, (of_library, ModelAdmin), {}))
admin.site.register(Permission, PermissionAdmin)

# Operators sign in where everybody does, and with the second factor that their account has.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

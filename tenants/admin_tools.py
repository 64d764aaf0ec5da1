"""What the admin pages of every app share."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest
from django.template.response import TemplateResponse

from tenants.models import User


class ReadOnly:
    """For rows that only services write: nothing to add, change or delete.

    Actions that have services write take `permissions=["act"]`.
    """

    opts: Any

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Say whether its actions are for this operator: not for one who may only view."""
        change = get_permission_codename("change", self.opts)
        return operator(request).has_perm(f"{self.opts.app_label}.{change}")


def operator(request: HttpRequest) -> User:
    """Return who is at work: the admin lets nobody in who is not signed in."""
    if not isinstance(request.user, User):
        raise PermissionError("The admin was reached without signing in.")
    return request.user


def may_touch(request: HttpRequest, account: User) -> bool:
    """Say whether this operator may change, or take away, what lets an account in: an operator's is
    for superusers alone, or one could come in as somebody who may do more.
    """
    return not account.is_staff or operator(request).is_superuser


def is_answered(request: HttpRequest) -> bool:
    """Say whether an action that asks first has come back with an answer."""
    return request.POST.get("answered") == "yes"


def ask(
    model_admin: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    *,
    form: forms.Form,
    title: str,
    explanation: str,
) -> TemplateResponse:
    """Return the page on which an action asks what it needs; its form comes back to the action."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "explanation": explanation,
        "form": form,
        "action": request.POST["action"],
        "select_across": request.POST.get("select_across", "0"),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/ask.html", context)

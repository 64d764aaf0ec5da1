"""What the admin pages of every app share."""

from typing import Any

from django.http import HttpRequest

from tenants.models import User


class ReadOnly:
    """For rows that only services write: nothing to add, change or delete."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def operator(request: HttpRequest) -> User:
    """Return who is at work: the admin lets nobody in who is not signed in."""
    if not isinstance(request.user, User):
        raise PermissionError("The admin was reached without signing in.")
    return request.user

"""The admin's sidebar: the reports, then what Django lists of itself."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.admin_reports import may_view, titles

Group = dict[str, Any]


def groups(request: HttpRequest) -> list[Group]:
    """Return the sidebar's groups, as django-unfold wants them."""
    reports = {"title": _("Reports"), "items": _reports(request)}
    return [reports, *(_app(app) for app in admin.site.get_app_list(request))]


def _reports(request: HttpRequest) -> list[Group]:
    if not may_view(request):
        return []
    index = reverse("reports")
    items = [{"title": _("Overview"), "link": index, "active": request.path == index}]
    return items + [
        {"title": title, "link": reverse("report", args=[name])} for name, title in titles().items()
    ]


def _app(app: dict[str, Any]) -> Group:
    models = [model for model in app["models"] if model["admin_url"]]
    return {
        "title": app["name"],
        "items": [{"title": model["name"], "link": model["admin_url"]} for model in models],
    }

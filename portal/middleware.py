"""Middleware: what a browser may load, and what a log line knows of its request."""

import uuid
from collections.abc import Callable

import structlog
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware, with a policy of its own for the admin.

    Unfold, the admin's theme, is built with Alpine and cannot do without eval. Nothing else may.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if request.path.startswith("/admin/"):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        return super().process_response(request, response)


class RequestContextMiddleware:
    """Give each log line of a request its id, user and address (the audit trail takes the last)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request=uuid.uuid4().hex,
            address=request.META.get("REMOTE_ADDR") or None,
            user=request.user.pk if request.user.is_authenticated else None,
        )
        return self.get_response(request)

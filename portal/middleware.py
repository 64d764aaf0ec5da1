"""Middleware: what a browser may load, how light pages are, when a session was seen, what a log
line knows.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta

import structlog
from allauth.usersessions.models import UserSession
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

from tenants.addresses import client_address


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


class LastSeenMiddleware:
    """Note when and from where a session was seen last, for its owner to look at.

    allauth's own middleware writes with every request. This one reads, and writes seldom.
    """

    EVERY = timedelta(minutes=5)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.session.session_key:
            lately = timezone.now() - self.EVERY
            sessions = UserSession.objects.filter(session_key=request.session.session_key)
            if not sessions.filter(last_seen_at__gt=lately).exists():
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


class PageCompressionMiddleware(GZipMiddleware):
    """Django's compression, of pages alone. Its random padding keeps their secrets from BREACH.

    It would weaken the ETags that the API's callers send back in If-Match, and archives, PDFs and
    pictures are compressed already.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


class RequestContextMiddleware:
    """Give each log line of a request its id, user and address (the audit trail takes the last)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request=uuid.uuid4().hex,
            address=client_address(request),
            user=request.user.pk if request.user.is_authenticated else None,
        )
        return self.get_response(request)

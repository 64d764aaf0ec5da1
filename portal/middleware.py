"""Middleware: what a browser may load, how light pages are, what is a page of its own, when a
session was seen, what a log line knows.
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
from django.shortcuts import render, resolve_url
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


class WholePageMiddleware:
    """Give a page of its own to what would be part of another, or none.

    What htmx asks for once the session has ended, a poll mostly, leads to the sign-in page, which
    would take the figures' place: the page around it is loaded again instead, and leads there. And
    an address that takes forms alone, where somebody comes to it by the back button, or by signing
    in again, says so.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        leads_to = response.get("Location", "").partition("?")[0]
        if request.htmx and leads_to == resolve_url(settings.LOGIN_URL):  # type: ignore[attr-defined]
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        is_form_s = response.status_code == 405 and not response.content
        if is_form_s and request.method == "GET":
            page = render(request, "405.html", status=405)
            page["Allow"] = response["Allow"]
            return page
        return response


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

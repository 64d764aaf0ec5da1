"""Who calls the management API: a member by their session, or a key through the gateway.

A key reads, for its own tenant, and changes nothing: its value is on servers and in browsers that
should not be able to make more keys.
"""

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants import selectors
from tenants.models import ApiKeyVersion, Member, Tenant, User
from tenants.permissions import Act, may


@dataclass(frozen=True)
class Caller:
    """Whose things a call is about, and who it is; no member where it is a key."""

    tenant: Tenant
    member: Member | None


class TenantView(APIView):
    """A view of one tenant's: that of the calling key, or the one that the session has chosen."""

    def caller(self, request: Request) -> Caller:
        """Return who reads. Raise Http404 for somebody without a tenant."""
        if isinstance(request.auth, ApiKeyVersion):
            return Caller(request.auth.api_key.tenant, None)
        member = self._member(request)
        return Caller(member.tenant, member)

    def member(self, request: Request, act: Act) -> Member:
        """Return the member who acts. Raise PermissionDenied for a key, or a role that may not."""
        if isinstance(request.auth, ApiKeyVersion):
            raise PermissionDenied("A key may only read. Change this in the portal.")
        member = self._member(request)
        if not may(member, act):
            raise PermissionDenied(f"The role {member.role!r} may not do this.")
        return member

    _is_keys = False

    def perform_authentication(self, request: Request) -> None:
        """Note who called. To ask later could raise anew, where nothing turns it into an answer."""
        super().perform_authentication(request)
        self._is_keys = isinstance(request.auth, ApiKeyVersion)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let pages of any origin read what a key reads: a proxy integration adds no headers."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._is_keys:
            final["Access-Control-Allow-Origin"] = "*"
        return final

    def _member(self, request: Request) -> Member:
        member = None
        if isinstance(request.user, User):
            member = selectors.membership(
                user=request.user, tenant_uuid=request.session.get("tenant")
            )
        if member is None:
            raise Http404
        return member

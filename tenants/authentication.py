"""A key that calls the management API through the gateway, and how the portal believes it.

The gateway adds two headers to what it passes on: a secret, and the id of the key it was called
with. Both come from the integration, which overwrites what a caller sends under their names. Who
comes straight to the portal does not know the secret.
"""

from django.conf import settings
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants import selectors
from tenants.models import ApiKeyVersion

SECRET_HEADER = "X-Sekisho-Gateway"  # noqa: S105  (a header's name)
KEY_HEADER = "X-Sekisho-Key-Id"


class GatewayCaller:
    """Nobody in person: whose key it was is in `request.auth`."""

    is_authenticated = True


class GatewayAuthentication(BaseAuthentication):
    """Believe the gateway's headers, for the secret's sake; refuse whoever made them up."""

    def authenticate(self, request: Request) -> tuple[GatewayCaller, ApiKeyVersion] | None:
        """Return the key's version; None without such headers. Raise AuthenticationFailed."""
        secret, key_id = request.headers.get(SECRET_HEADER), request.headers.get(KEY_HEADER)
        if secret is None and key_id is None:
            return None
        if not (secret and constant_time_compare(secret, settings.GATEWAY_SECRET)):
            raise AuthenticationFailed("This call did not come through the gateway.")
        version = selectors.version_in_use(gateway_id=key_id or "")
        if version is None:
            raise AuthenticationFailed("This key is not known, or not any more.")
        return GatewayCaller(), version

    def authenticate_header(self, _request: Request) -> str:
        """Say how to authenticate: without it, an anonymous caller would get 403 for 401."""
        return "Session"

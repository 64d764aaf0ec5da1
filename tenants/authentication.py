"""How the portal believes who calls the management API: by a token, or a key through the gateway.

A session is DRF's own matter. Tokens are looked up by their digest: how long that takes says
nothing of a value of 256 random bits.

The gateway adds two headers to what it passes on: a secret, and the id of the key it was called
with. Both come from the integration, which overwrites what a caller sends under their names. Who
comes straight to the portal does not know the secret.
"""

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from tenants import key_values, rates, selectors, services, token_values
from tenants.addresses import client_address
from tenants.models import ApiKeyVersion, ApiToken, Member, User

SECRET_HEADER = "X-Sekisho-Gateway"  # noqa: S105  (a header's name)
KEY_HEADER = "X-Sekisho-Key-Id"
CHALLENGE = 'Bearer realm="Sekisho"'  # RFC 6750
FAILURES = rates.Rate(name="token-failures", calls=30, seconds=60)


class Program:
    """Nobody in person: whose key or token it was is in `request.auth`."""

    is_authenticated = True


@dataclass(frozen=True)
class TokenCall:
    """A token that works, and the membership that a personal one acts by."""

    token: ApiToken
    member: Member | None


class GatewayAuthentication(BaseAuthentication):
    """Believe the gateway's headers, for the secret's sake; refuse whoever made them up."""

    def authenticate(self, request: Request) -> tuple[Program, ApiKeyVersion] | None:
        """Return the key's version; None without such headers. Raise AuthenticationFailed."""
        secret, key_id = request.headers.get(SECRET_HEADER), request.headers.get(KEY_HEADER)
        if secret is None and key_id is None:
            return None
        if not (secret and constant_time_compare(secret, settings.GATEWAY_SECRET)):
            raise AuthenticationFailed("This call did not come through the gateway.")
        version = selectors.version_in_use(gateway_id=key_id or "")
        if version is None:
            raise AuthenticationFailed("This key is not known, or not any more.")
        return Program(), version

    def authenticate_header(self, _request: Request) -> str:
        """Say how to authenticate: without it, an anonymous caller would get 403 for 401."""
        return CHALLENGE


class TokenAuthentication(BaseAuthentication):
    """Believe a bearer token: a personal one while its user is a member, a machine's as such."""

    def authenticate(self, request: Request) -> tuple[User | Program, TokenCall] | None:
        """Return whom the token acts as, and by what; None without one.

        Raise AuthenticationFailed for one that does not work, or Throttled where that comes too
        often from an address. A good one always passes: a whole office may have one address.
        """
        scheme, _, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            call = _call(value.strip())
        except AuthenticationFailed:
            left = FAILURES.count(str(client_address(request)))
            if left.calls < 0:
                raise Throttled(left.seconds) from None
            raise
        token = call.token
        services.api_token_used(token=token, now=timezone.now())
        # The audit trail has it beside the actor: a machine has none.
        structlog.contextvars.bind_contextvars(api_token=str(token.uuid), api_token_name=token.name)
        return token.user or Program(), call

    def authenticate_header(self, _request: Request) -> str:
        return CHALLENGE


def _call(value: str) -> TokenCall:
    if not token_values.is_well_formed(value):
        raise AuthenticationFailed("This is not a token: look whether all of it was copied.")
    token = selectors.api_token_by_digest(digest=key_values.digest(value))
    if token is None:
        raise AuthenticationFailed("This token is not known, or was revoked.")
    if token.expires_at is not None and token.expires_at <= timezone.now():
        raise AuthenticationFailed("This token has expired.")
    member = selectors.member_of_token(token=token)
    if token.user is not None and member is None:
        raise AuthenticationFailed("Whose token this is does not belong to the organisation.")
    return TokenCall(token, member)

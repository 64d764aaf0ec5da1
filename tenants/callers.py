"""Who calls the management API: a member by their session, a token, or a key through the gateway.

What each may do is said in scopes (tenants/scopes.py): a session has those of its member's role, a
personal token those of its own that the role has too, a machine's token its own. A key reads, for
its own tenant, and changes nothing: its value is on servers and in browsers that should not be able
to make more keys.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from rest_framework.exceptions import PermissionDenied, Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants import preconditions, rates, selectors
from tenants.authentication import CHALLENGE, TokenCall
from tenants.idempotency import answered_once, key_of
from tenants.models import ApiKeyVersion, ApiToken, Member, Tenant, User
from tenants.recent import demand_recently_authenticated
from tenants.scopes import OF_KEYS, Scope, scopes_named, scopes_of


class SecondFactorMissing(PermissionDenied):
    """The tenant requires a second factor of its members, and whoever calls has none."""

    default_code = "second_factor_required"
    default_detail = "The organisation requires a second factor. Set one up in the portal."


class ScopeMissing(PermissionDenied):
    """The token was not given the scope that this takes (RFC 6750, section 3.1)."""

    default_code = "scope_missing"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This takes a token with the scope {scope}.")
        self.scope = scope
        self.auth_header = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'


@dataclass(frozen=True)
class Caller:
    """Whose things a call is about, who it is, and what they may do.

    There is no member where a key or a machine's token calls, and no token where a member does.
    """

    tenant: Tenant
    scopes: frozenset[Scope]
    member: Member | None = None
    token: ApiToken | None = None

    def demand(self, scopes: Iterable[Scope]) -> None:
        """Raise ScopeMissing for the first of these scopes that they lack."""
        for scope in sorted(set(scopes) - self.scopes):
            raise ScopeMissing(scope)

    @property
    def is_key(self) -> bool:
        """Whether it is a key that calls: one that anybody may have who sees a page's source."""
        return self.member is None and self.token is None

    @property
    def is_session(self) -> bool:
        """Whether it is somebody in a browser who calls."""
        return self.member is not None and self.token is None

    @property
    def name(self) -> str:
        """What tells this caller from the tenant's others. Keys, which change nothing, are one."""
        if self.token:
            return f"token-{self.token.pk}"
        return f"user-{self.member.user_id}" if self.member else "key"

    @property
    def user(self) -> User | None:
        """Who does it, for the audit trail; None for a program."""
        return self.member.user if self.member else None


@method_decorator(conditional_page, name="dispatch")
class TenantView(APIView):
    """A view of one tenant's: that of the key or token, or the one that the session has chosen.

    `scopes` says by method what a call takes; the reference reads it, too (portal/openapi.py).
    Whatever is read has an ETag. By the methods of `asks_again`, a session calls as it does the
    same on a page: lately authenticated. A token is a credential of its own.
    """

    scopes: ClassVar[Mapping[str, Scope]] = {}
    asks_again: ClassVar[Container[str]] = ()

    def caller(self, request: Request) -> Caller:
        """Return who calls, once it is known that they may.

        Raise Http404 for somebody without a tenant, PermissionDenied for a key that should change
        something or a role that may not, ScopeMissing for a token, SecondFactorMissing for a member
        whom their tenant asks for one, and ReauthenticationRequired for a session that began too
        long ago.
        """
        scope = self.scopes["GET" if request.method == "HEAD" else str(request.method)]
        caller = self._caller(request)
        if scope in caller.scopes:
            if caller.is_session and request.method in self.asks_again:
                demand_recently_authenticated(request._request)
            return caller
        if isinstance(request.auth, ApiKeyVersion):
            raise PermissionDenied("A key may only read. Change this in the portal.")
        if caller.token and scope not in scopes_named(caller.token.scopes):
            raise ScopeMissing(scope)
        raise PermissionDenied("Your role in the organisation does not allow this.")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Have a change made once by its Idempotency-Key, and by If-Match to what was read."""
        super().initial(request, *args, **kwargs)
        key, known = key_of(request), request.headers.get(preconditions.HEADER)
        method = str(request.method)
        if method in SAFE_METHODS or method not in self.scopes:
            return
        name = method.lower()
        act: Callable[[], Response] = partial(getattr(self, name), request, *args, **kwargs)
        if known is not None and "GET" in self.scopes and method != "POST":
            act = partial(
                preconditions.change_as_read,
                tenant=self.caller(request).tenant,
                known=known,
                read=partial(getattr(self, "get"), request, *args, **kwargs),  # noqa: B009
                change=act,
            )
        if key is not None:
            caller = self.caller(request)  # who may not is refused, whatever was answered before
            act = partial(
                answered_once,
                tenant=caller.tenant,
                caller=caller.name,
                key=key,
                request=request,
                handler=act,
            )
        setattr(self, name, lambda *_args, **_kwargs: act())

    _is_keys = False
    _left: rates.Left | None = None

    def check_throttles(self, request: Request) -> None:
        """Count the call of a token or a user; how fast keys call is the gateway's matter.

        Raise Throttled for one too many.
        """
        if self._is_keys:
            return
        whom = request.auth.token if isinstance(request.auth, TokenCall) else request.user
        rate = rates.Rate("api", calls=settings.API_CALLS_PER_MINUTE, seconds=60)
        self._left = rate.count(f"{type(whom).__name__}-{whom.pk}")
        if self._left.calls < 0:
            raise Throttled(self._left.seconds)

    def perform_authentication(self, request: Request) -> None:
        """Note who called. To ask later could raise anew, where nothing turns it into an answer."""
        super().perform_authentication(request)
        self._is_keys = isinstance(request.auth, ApiKeyVersion)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let pages of any origin read what a key reads: a proxy integration adds no headers.

        Others are told how many calls they have left.
        """
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._is_keys:
            final["Access-Control-Allow-Origin"] = "*"
        if self._left:
            final["RateLimit-Limit"] = settings.API_CALLS_PER_MINUTE
            final["RateLimit-Remaining"] = max(self._left.calls, 0)
            final["RateLimit-Reset"] = self._left.seconds
        return final

    def _caller(self, request: Request) -> Caller:
        if isinstance(request.auth, ApiKeyVersion):
            return Caller(request.auth.api_key.tenant, OF_KEYS)
        if isinstance(request.auth, TokenCall):
            return _by_token(request.auth)
        member = None
        if isinstance(request.user, User):
            member = selectors.membership(
                user=request.user, tenant_uuid=request.session.get("tenant")
            )
        if member is None:
            raise Http404
        return Caller(member.tenant, scopes_of(_let_in(member)), member)


def _by_token(call: TokenCall) -> Caller:
    token, member = call.token, call.member
    scopes = scopes_named(token.scopes)
    if member is None:  # a machine's
        return Caller(token.tenant, scopes, token=token)
    return Caller(token.tenant, scopes & scopes_of(_let_in(member)), member, token)


def _let_in(member: Member) -> Member:
    """Raise SecondFactorMissing for whom their tenant does not let in without one."""
    if selectors.is_barred(member=member):
        raise SecondFactorMissing
    return member

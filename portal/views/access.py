"""Who may open a page: a signed-in user, for one of the tenants that they are a member of.

The tenant is the one chosen in the switcher (kept in the session), else the user's oldest. A link
in a mail names the one that it means, and chooses it (tenants/links.py): that changes nothing but
what its reader sees next. Where a tenant requires a second factor, members without one see only how
to set one up, switch, leave, sign out.

A page says with what it sends whose page it is (base.html, app.js): in another tab its reader may
have chosen another tenant, or have been taken out of this one, and mean nobody else's.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

import billing.selectors
from tenants import selectors
from tenants.errors import Refused
from tenants.links import PARAMETER
from tenants.models import Member, Tenant, User
from tenants.permissions import Act, may
from tenants.recent import suspended_forget

SESSION_KEY = "tenant"
PAGE_OF = "page_of"  # in forms; in what htmx asks for it is a header
P = ParamSpec("P")


class SignedInRequest(HttpRequest):
    """A request that `login_required` let pass."""

    user: User


class TenantRequest(SignedInRequest):
    """A request that `tenant_required` let pass."""

    member: Member


def member_of(request: HttpRequest) -> Member | None:
    """Return the membership of a visitor of a page that does not ask for one.

    None without any, and where the tenant requires a second factor that they have not.
    """
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return None
    member = selectors.membership(user=user, tenant_uuid=request.session.get(SESSION_KEY))
    return None if member is None or selectors.is_barred(member=member) else member


def choose(request: HttpRequest, tenant: Tenant) -> None:
    """Have this session work for a tenant that its user is a member of."""
    request.session[SESSION_KEY] = str(tenant.uuid)
    suspended_forget(request)


def choose_named(request: HttpRequest, user: User, name: str) -> None:
    """Have this session of a user's work for the tenant of a UUID. Raise Http404 for what is none,
    and where the user is no member.
    """
    try:
        tenant_uuid = uuid.UUID(name)
    except ValueError as error:
        raise Http404 from error
    mine = selectors.memberships(user=user)
    choose(request, get_object_or_404(mine, tenant__uuid=tenant_uuid).tenant)


def demand(request: TenantRequest, act: Act) -> None:
    """Raise PermissionDenied, which is a 403, where the member's role does not allow the act.

    Pages show nobody what they may not do, so that hardly anybody meets this.
    """
    if not may(request.member, act):
        raise PermissionDenied


@contextmanager
def refusals_told(request: HttpRequest) -> Iterator[None]:
    """Have what a service refuses told on the page that follows."""
    try:
        yield
    except Refused as refusal:
        messages.error(request, str(refusal))


View = Callable[Concatenate[TenantRequest, P], HttpResponseBase]


def tenant_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Set `request.member`, or send the visitor to log in, or say why they get no further.

    They belong to nobody, or to a tenant that requires a second factor which they have not.
    """

    @wraps(view)
    def guarded(request: TenantRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if selectors.is_barred(member=request.member):
            barred = request.member
            del request.member  # the page around it shows nothing of the tenant's
            context = {"barred": barred, "others": selectors.memberships(user=request.user)}
            return render(request, "portal/second_factor_required.html", context, status=403)
        return view(request, *args, **kwargs)

    return member_required(guarded)


def member_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """As `tenant_required`, but without asking for a second factor: to leave takes none."""

    @wraps(view)
    def guarded(request: TenantRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if PARAMETER in request.GET and request.method in {"GET", "HEAD"}:
            return _led_to_named(request)
        member = selectors.membership(
            user=request.user, tenant_uuid=request.session.get(SESSION_KEY)
        )
        if member is None:
            return _without_tenant(request)
        page_of = request.headers.get("X-Page-Of") or request.POST.get(PAGE_OF)
        if page_of and page_of != str(member.tenant.uuid):
            return _shown_whose_it_is(request, member)
        request.member = member
        return view(request, *args, **kwargs)

    return login_required(guarded)  # type: ignore[return-value]


def _led_to_named(request: TenantRequest) -> HttpResponse:
    """Choose the tenant that an address names, and lead to the page without the name: whoever
    comes back to it there may have chosen another one meanwhile.
    """
    query = request.GET.copy()
    choose_named(request, request.user, query.pop(PARAMETER)[-1])
    return redirect(f"{request.path}?{query.urlencode()}" if query else request.path)


def _without_tenant(request: TenantRequest) -> HttpResponse:
    """Say what there is for somebody of no tenant: their request that waits, or was refused."""
    asked = billing.selectors.sign_up_request_of(user=request.user)
    if asked is None:
        return render(request, "portal/no_tenant.html", status=404)
    return render(request, "portal/sign_up_request.html", {"asked": asked}, status=403)


def _shown_whose_it_is(request: HttpRequest, member: Member) -> HttpResponse:
    """Do nothing for a tenant that its sender did not mean, and show them which one it is."""
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    text = _("You work for %(name)s meanwhile. Nothing was changed.")
    messages.warning(request, text % {"name": member.tenant.name})
    return redirect("dashboard")

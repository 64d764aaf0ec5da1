"""The team: its members and what each may do, invitations, and how one leaves."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.forms import InvitationForm
from portal.views.access import (
    SESSION_KEY,
    TenantRequest,
    demand,
    member_required,
    refusals_told,
    tenant_required,
)
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import Invitation, Member, Role
from tenants.permissions import Act, may, roles_given_by, table
from tenants.recent import demand_recently_authenticated


@require_safe
@tenant_required
def team(request: TenantRequest) -> HttpResponse:
    form = InvitationForm(roles=roles_given_by(request.member))
    return _page(request, form)


def _page(request: TenantRequest, form: InvitationForm, *, status: int = 200) -> HttpResponse:
    tenant, now = request.member.tenant, timezone.now()
    given = roles_given_by(request.member)
    invitations = []
    if may(request.member, Act.MANAGE_MEMBERS):
        invitations = [
            {
                "invitation": each,
                "standing": selectors.standing(invitation=each, now=now),
                "is_mine_to_change": each.role in given,
            }
            for each in selectors.invitations_open(tenant=tenant)
        ]
    members = list(tenant.members.select_related("user"))
    with_factor = selectors.with_second_factor(members=members)
    context = {
        "nav": "team",
        "members": [
            {
                "member": each,
                "is_mine_to_change": each.role in given and each != request.member,
                "has_factor": each.user_id in with_factor,
            }
            for each in members
        ],
        "given": [(role.value, role.label) for role in given],
        "roles": [role.label for role in Role],
        "acts": table(),
        "invitations": invitations,
        "form": form,
        "is_last_owner": selectors.is_last_owner(member=request.member),
    }
    return render(request, "portal/team.html", context, status=status)


@require_POST
@tenant_required
def invite(request: TenantRequest) -> HttpResponse:
    """Invite an address. What is said is the same whether or not it has an account."""
    demand(request, Act.MANAGE_MEMBERS)
    form = InvitationForm(request.POST, roles=roles_given_by(request.member))
    if not form.is_valid():
        return _page(request, form, status=400)
    _demand_owners_hand(request, form.cleaned_data["role"])
    try:
        invitation = services.invitation_create(
            tenant=request.member.tenant,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        form.add_error("email", str(refusal))
        return _page(request, form, status=400)
    messages.success(
        request, _("An invitation is on its way to %(email)s.") % {"email": invitation.email}
    )
    return redirect("team")


@require_POST
@tenant_required
def invitation_resend(request: TenantRequest, invitation_id: uuid.UUID) -> HttpResponse:
    invitation = _invitation_or_404(request, invitation_id)
    _demand_owners_hand(request, invitation.role)
    return _done(
        request,
        lambda: services.invitation_resend(
            invitation=invitation, actor=request.user, now=timezone.now()
        ),
        _("A new link is on its way to %(email)s; the one before it has ended.")
        % {"email": invitation.email},
    )


@require_POST
@tenant_required
def invitation_withdraw(request: TenantRequest, invitation_id: uuid.UUID) -> HttpResponse:
    invitation = _invitation_or_404(request, invitation_id)
    return _done(
        request,
        lambda: services.invitation_withdraw(
            invitation=invitation, actor=request.user, now=timezone.now()
        ),
        _("The invitation of %(email)s was withdrawn.") % {"email": invitation.email},
    )


@require_POST
@tenant_required
def member_role(request: TenantRequest, member_id: int) -> HttpResponse:
    member = _member_or_404(request, member_id, Act.MANAGE_MEMBERS)
    role = request.POST.get("role", "")
    _demand_owners_hand(request, member.role, role)
    return _done(
        request,
        lambda: services.member_change_role(
            member=member, role=role, actor=request.user, now=timezone.now()
        ),
        _("The role of %(email)s was changed.") % {"email": member.user.email},
    )


@require_POST
@tenant_required
def member_remove(request: TenantRequest, member_id: int) -> HttpResponse:
    member = _member_or_404(request, member_id, Act.MANAGE_MEMBERS)
    _demand_owners_hand(request, member.role)
    return _done(
        request,
        lambda: services.member_remove(member=member, actor=request.user, now=timezone.now()),
        _("%(email)s is not a member any more.") % {"email": member.user.email},
    )


@require_POST
@tenant_required
def transfer(request: TenantRequest, member_id: int) -> HttpResponse:
    """Hand the organisation over."""
    member = _member_or_404(request, member_id, Act.TRANSFER)
    _demand_owners_hand(request, Role.OWNER)
    return _done(
        request,
        lambda: services.ownership_transfer(member=member, actor=request.user, now=timezone.now()),
        _("%(email)s is the owner now. You are an admin.") % {"email": member.user.email},
    )


@require_POST
@member_required
def leave(request: TenantRequest) -> HttpResponse:
    """Leave the organisation; the next one is chosen, if there is any."""
    name = request.member.tenant.name
    try:
        services.member_leave(member=request.member, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("team")
    request.session.pop(SESSION_KEY, None)
    messages.success(request, _("You have left %(name)s.") % {"name": name})
    return redirect("dashboard")


def _done(request: TenantRequest, act: Callable[[], object], said: str) -> HttpResponse:
    with refusals_told(request):
        act()
        messages.success(request, said)
    return redirect("team")


def _demand_owners_hand(request: TenantRequest, *roles: str) -> None:
    """Have whoever signed in long ago confirm who they are, to give or take the role owner."""
    if Role.OWNER in roles:
        demand_recently_authenticated(request)


def _member_or_404(request: TenantRequest, member_id: int, act: Act) -> Member:
    demand(request, act)
    members = request.member.tenant.members.select_related("user", "tenant")
    return get_object_or_404(members, pk=member_id)


def _invitation_or_404(request: TenantRequest, invitation_id: uuid.UUID) -> Invitation:
    demand(request, Act.MANAGE_MEMBERS)
    return get_object_or_404(request.member.tenant.invitations, uuid=invitation_id)


urlpatterns = [
    path("team/", team, name="team"),
    path("team/invite/", invite, name="team-invite"),
    path(
        "team/invitations/<uuid:invitation_id>/resend/", invitation_resend, name="invitation-resend"
    ),
    path(
        "team/invitations/<uuid:invitation_id>/withdraw/",
        invitation_withdraw,
        name="invitation-withdraw",
    ),
    path("team/members/<int:member_id>/role/", member_role, name="member-role"),
    path("team/members/<int:member_id>/remove/", member_remove, name="member-remove"),
    path("team/members/<int:member_id>/transfer/", transfer, name="member-transfer"),
    path("team/leave/", leave, name="team-leave"),
]

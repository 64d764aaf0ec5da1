"""Invitations: found by their link, listed for the team, and whether they still stand."""

from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet

from tenants.invitation_tokens import digest_of
from tenants.models import Invitation, InvitationState, Member, Tenant, TenantState
from tenants.permissions import roles_given_by


class Standing(StrEnum):
    """Where an invitation is; void: whoever sent it may not give the role any more."""

    OPEN = "open"
    EXPIRED = "expired"
    VOID = "void"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


def invitation_by_token(*, token: str) -> Invitation | None:
    """Return the invitation whose last mail has this token."""
    found = Invitation.objects.filter(token_digest=digest_of(token))
    return found.select_related("tenant", "invited_by").first()


def invitations_open(*, tenant: Tenant) -> QuerySet[Invitation]:
    """Return the invitations that nobody has answered or withdrawn, the oldest first."""
    return tenant.invitations.filter(state=InvitationState.OPEN).select_related("invited_by")


def standing(*, invitation: Invitation, now: datetime) -> Standing:
    """Say where an invitation is."""
    if invitation.state != InvitationState.OPEN:
        return Standing(invitation.state)
    if invitation.expires_at <= now:
        return Standing.EXPIRED
    members = Member.objects.filter(tenant=invitation.tenant, user__is_active=True)
    inviter = members.filter(user=invitation.invited_by).first()
    gives = roles_given_by(inviter) if inviter else []
    is_active = invitation.tenant.state == TenantState.ACTIVE
    return Standing.OPEN if is_active and invitation.role in gives else Standing.VOID

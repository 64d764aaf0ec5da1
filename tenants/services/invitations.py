"""Invitations: send, send again, withdraw, accept, decline.

Inviting never looks for an account with the address, so that what it says tells nobody of one.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.invitation_tokens import digest_of, token_of
from tenants.models import Invitation, InvitationState, Mail, Member, Tenant, User
from tenants.scopes import Scope
from tenants.selectors.invitations import Standing, invitations_open, standing
from tenants.services.accounts import account_keep
from tenants.services.audit import audit_record
from tenants.services.leaving import tenant_open_check
from tenants.services.mails import mail_add
from tenants.services.members import demand_may_give, member_acting, tenant_locked

LIFETIME = timedelta(days=7)
MOST_OPEN = 20  # of a tenant
MOST_SENT = 50  # by a tenant within a day: strangers' mail boxes are not ours to fill


@transaction.atomic
def invitation_create(
    *,
    tenant: Tenant,
    email: str,
    role: str,
    actor: User,
    within: frozenset[Scope] | None = None,
    now: datetime,
) -> Invitation:
    """Invite whoever reads an address's mail. An expired invitation of theirs is withdrawn.

    Raise Refused where the actor, or the API's caller, may not give the role, for a member's or an
    invited address, for too many, or where the tenant is being deleted.
    """
    tenant, email = tenant_locked(tenant), email.strip().lower()
    tenant_open_check(tenant=tenant)
    demand_may_give(member_acting(tenant, actor), within, role)
    if Member.objects.filter(tenant=tenant, user__email__iexact=email).exists():
        raise Refused(_("%(email)s is a member already.") % {"email": email})
    waiting = invitations_open(tenant=tenant)
    for expired in waiting.filter(email=email, expires_at__lte=now):
        _end(expired, InvitationState.WITHDRAWN, now)
    if waiting.filter(email=email).exists():
        raise Refused(_("%(email)s is invited already.") % {"email": email})
    if waiting.count() >= MOST_OPEN:
        raise Refused(_("At most %(most)d invitations can be open.") % {"most": MOST_OPEN})
    invitation = Invitation(tenant=tenant, email=email, role=role, invited_by=actor, created_at=now)
    _send(invitation, actor, now)
    audit_record(
        action="invitation.sent", tenant=tenant, actor=actor, now=now, target=email, role=role
    )
    return invitation


@transaction.atomic
def invitation_resend(*, invitation: Invitation, actor: User, now: datetime) -> Invitation:
    """Send a new link, good for as long again, in the actor's name; the link before it ends.

    Raise Refused for one that is not open, for too many, or where the actor may not give the role.
    """
    invitation = _locked(invitation)
    _demand_open(invitation)
    tenant_open_check(tenant=invitation.tenant)
    demand_may_give(member_acting(invitation.tenant, actor), None, invitation.role)
    invitation.invited_by = actor
    invitation.sendings += 1
    _send(invitation, actor, now)
    audit_record(
        action="invitation.sent_again", tenant=invitation.tenant, actor=actor, now=now,
        target=invitation.email,
    )  # fmt: skip
    return invitation


@transaction.atomic
def invitation_withdraw(
    *, invitation: Invitation, actor: User, within: frozenset[Scope] | None = None, now: datetime
) -> None:
    """End an invitation; its link says so.

    Raise Refused for one that is not open, or where the actor, or the API's caller, may not give
    the role.
    """
    invitation = _locked(invitation)
    _demand_open(invitation)
    demand_may_give(member_acting(invitation.tenant, actor), within, invitation.role)
    _end(invitation, InvitationState.WITHDRAWN, now)
    audit_record(
        action="invitation.withdrawn", tenant=invitation.tenant, actor=actor, now=now,
        target=invitation.email,
    )  # fmt: skip


@transaction.atomic
def invitation_accept(*, invitation: Invitation, user: User, now: datetime) -> Member:
    """Make a user who is known to read the address's mail a member; a member keeps their role.

    Raise Refused where it does not stand any more, or the account is gone.
    """
    invitation = _locked(invitation)
    account_keep(user=user)
    if standing(invitation=invitation, now=now) is not Standing.OPEN:
        raise Refused(_("This invitation has ended."))
    tenant = invitation.tenant
    member, _is_new = Member.objects.get_or_create(
        tenant=tenant, user=user, defaults={"role": invitation.role, "created_at": now}
    )
    _end(invitation, InvitationState.ACCEPTED, now)
    audit_record(
        action="invitation.accepted", tenant=tenant, actor=user, now=now, target=invitation.email,
        role=member.role,
    )  # fmt: skip
    if invitation.invited_by is not None:
        mail_add(
            tenant=tenant, kind="tenants.joined", to=invitation.invited_by.email, now=now,
            context={"who": invitation.email, "role": member.role},
        )  # fmt: skip
    return member


@transaction.atomic
def invitation_decline(*, invitation: Invitation, now: datetime) -> None:
    """End an invitation by the wish of whoever has its link; again changes nothing."""
    invitation = _locked(invitation)
    if invitation.state != InvitationState.OPEN:
        return
    _end(invitation, InvitationState.DECLINED, now)
    audit_record(
        action="invitation.declined", tenant=invitation.tenant, actor=invitation.email, now=now,
        target=invitation.email,
    )  # fmt: skip


def _send(invitation: Invitation, actor: User, now: datetime) -> None:
    """Give an invitation its token and its time, and have it mailed."""
    recent = Mail.objects.filter(tenant=invitation.tenant, created_at__gt=now - timedelta(days=1))
    if recent.exclude(invitation=None).count() >= MOST_SENT:
        raise Refused(_("Too many invitations were sent today. Try again tomorrow."))
    token = token_of(invitation_uuid=invitation.uuid, sendings=invitation.sendings)
    invitation.token_digest = digest_of(token)
    invitation.expires_at = now + LIFETIME
    invitation.save()
    mail_add(
        tenant=invitation.tenant, kind="tenants.invitation", to=invitation.email, now=now,
        invitation=invitation, context={"by": actor.email, "role": invitation.role},
    )  # fmt: skip


def _locked(invitation: Invitation) -> Invitation:
    tenant_locked(invitation.tenant)
    return Invitation.objects.select_related("tenant", "invited_by").get(pk=invitation.pk)


def _demand_open(invitation: Invitation) -> None:
    if invitation.state != InvitationState.OPEN:
        raise Refused(_("This invitation has ended."))


def _end(invitation: Invitation, state: InvitationState, now: datetime) -> None:
    invitation.state, invitation.ended_at = state, now
    invitation.save(update_fields=["state", "ended_at"])

"""Members: change a role, remove, leave, hand the tenant over.

Who acts, and on whom, is read again under the tenant's lock: two owners who demote each other at
once leave one.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.models import Member, Role, Tenant, User
from tenants.permissions import Act, may, roles_given_by
from tenants.scopes import Scope, roles_within
from tenants.selectors.members import is_last_owner
from tenants.services.audit import audit_record
from tenants.services.mails import mail_add, mails_give_up


@transaction.atomic
def member_change_role(
    *, member: Member, role: str, actor: User, within: frozenset[Scope] | None = None, now: datetime
) -> Member:
    """Give a member another role; the same again does nothing.

    Raise Refused where the actor, or the API's caller, may not give the one or take the other, or
    no owner would be left.
    """
    tenant = tenant_locked(member.tenant)
    acting, member = member_acting(tenant, actor), _current(member)
    demand_may_give(acting, within, member.role, role)
    if member.role == role:
        return member
    _demand_another_owner(member)
    previous, member.role = member.role, role
    member.save(update_fields=["role"])
    audit_record(
        action="member.role_changed", tenant=tenant, actor=actor, now=now,
        target=member.user.email, previous=previous, role=role,
    )  # fmt: skip
    _tell(member, "role_changed", by=actor, now=now)
    return member


@transaction.atomic
def member_remove(
    *, member: Member, actor: User, within: frozenset[Scope] | None = None, now: datetime
) -> None:
    """Take a member out.

    Raise Refused where the actor, or the API's caller, may not, or no owner would be left.
    """
    tenant = tenant_locked(member.tenant)
    acting, member = member_acting(tenant, actor), _current(member)
    demand_may_give(acting, within, member.role)
    _demand_another_owner(member)
    _end(member, "member.removed", actor=actor, now=now)
    _tell(member, "removed", by=actor, now=now)


@transaction.atomic
def member_leave(*, member: Member, actor: User | None = None, now: datetime) -> None:
    """Take a member out by their own wish, which an operator, `actor`, may do for them. Raise
    Refused for the last owner.
    """
    tenant_locked(member.tenant)
    member = _current(member)
    _demand_another_owner(member)
    _end(member, "member.left", actor=actor or member.user, now=now)


@transaction.atomic
def ownership_transfer(*, member: Member, actor: User, now: datetime) -> None:
    """Make a member the owner in the place of the actor, who becomes an admin.

    Raise Refused where the actor is no owner, or the member is one already.
    """
    tenant = tenant_locked(member.tenant)
    acting, member = member_acting(tenant, actor), _current(member)
    if not may(acting, Act.TRANSFER):
        raise Refused(_("Your role may not do this."))
    if member.role == Role.OWNER:
        raise Refused(_("%(email)s is an owner already.") % {"email": member.user.email})
    member.role, acting.role = Role.OWNER, Role.ADMIN
    member.save(update_fields=["role"])
    acting.save(update_fields=["role"])
    audit_record(
        action="tenant.transferred", tenant=tenant, actor=actor, now=now, target=member.user.email
    )
    for to in (member.user.email, actor.email):
        mail_add(
            tenant=tenant, kind="tenants.transferred", to=to, now=now,
            context={"owner": member.user.email, "previous": actor.email},
        )  # fmt: skip


def tenant_locked(tenant: Tenant) -> Tenant:
    """Return the tenant as it is, with its members for this transaction alone to change."""
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def member_acting(tenant: Tenant, user: User) -> Member:
    """Return the membership by which a user acts. Raise Refused for somebody who has left."""
    member = Member.objects.filter(tenant=tenant, user=user).first()
    if member is None:
        raise Refused(_("You are not a member any more."))
    return member


def demand_may_give(acting: Member, within: frozenset[Scope] | None, *roles: str) -> None:
    """Raise Refused for a role that the member may not give or take.

    `within` is what a caller of the management API may do; None on a page, which can ask for the
    password.
    """
    if not set(roles) <= set(roles_given_by(acting)):
        raise Refused(_("Your role may not do this."))
    if within is not None and not set(roles) <= set(roles_within(within)):
        raise Refused(
            _("The API gives and takes no role that may do more than the caller, nor owner.")
        )


def _current(member: Member) -> Member:
    found = Member.objects.select_related("user", "tenant").filter(pk=member.pk).first()
    if found is None:
        raise Refused(_("This person is not a member any more."))
    return found


def _demand_another_owner(member: Member) -> None:
    if is_last_owner(member=member):
        raise Refused(_("An organisation needs an owner. Make somebody else one first."))


def _end(member: Member, action: str, *, actor: User, now: datetime) -> None:
    audit_record(
        action=action, tenant=member.tenant, actor=actor, now=now, target=member.user.email,
        role=member.role,
    )  # fmt: skip
    Member.objects.filter(pk=member.pk).delete()
    mails_give_up(tenant=member.tenant, to=member.user.email, now=now)


def _tell(member: Member, kind: str, *, by: User, now: datetime) -> None:
    """Write to a member what somebody else did with their place."""
    if member.user_id != by.pk:
        mail_add(
            tenant=member.tenant, kind=f"tenants.{kind}", to=member.user.email, now=now,
            context={"role": member.role, "by": by.email},
        )  # fmt: skip

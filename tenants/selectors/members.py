"""What pages and services ask of a team."""

from django.db.models import Exists, OuterRef, QuerySet

from tenants.models import Member, Role, Tenant, User
from tenants.permissions import Act, may


def is_last_owner(*, member: Member) -> bool:
    """Say whether a tenant has no owner but this member: without one, nobody could hand it over.

    Nor could somebody whose account an operator has locked.
    """
    if member.role != Role.OWNER:
        return False
    owners = Member.objects.filter(tenant=member.tenant_id, role=Role.OWNER, user__is_active=True)
    return not owners.exclude(pk=member.pk).exists()


def tenants_owned_alone(*, user: User) -> list[Tenant]:
    """Return the tenants that have no owner but this user, by their names."""
    owned = Member.objects.filter(user=user, role=Role.OWNER).select_related("tenant")
    owned = owned.order_by("tenant__name", "id")
    return [member.tenant for member in owned if is_last_owner(member=member)]


def members_who_may(*, tenant: Tenant, act: Act) -> list[Member]:
    """Return the members whose role allows an act, in the order in which they joined.

    Whose account an operator has locked may do nothing, and is told nothing.
    """
    members = Member.objects.filter(tenant=tenant, user__is_active=True).select_related("user")
    return [member for member in members if may(member, act)]


def member_by_id(*, member_id: int) -> Member | None:
    """Return a membership; None once it has ended."""
    return Member.objects.select_related("tenant", "user").filter(pk=member_id).first()


def users_of_no_other(*, tenant: Tenant) -> QuerySet[User]:
    """Return the members who belong to no other tenant, and are no operators."""
    others = Member.objects.filter(user=OuterRef("pk")).exclude(tenant=tenant)
    return User.objects.filter(~Exists(others), memberships__tenant=tenant, is_staff=False)

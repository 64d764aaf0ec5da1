"""What pages and services ask of a team."""

from tenants.models import Member, Role


def is_last_owner(*, member: Member) -> bool:
    """Say whether a tenant has no owner but this member: without one, nobody could hand it over."""
    if member.role != Role.OWNER:
        return False
    owners = Member.objects.filter(tenant=member.tenant_id, role=Role.OWNER)
    return not owners.exclude(pk=member.pk).exists()

"""The people that every test knows: Alice owns, Bob is on the team, Charlie must never see."""

from dataclasses import dataclass
from datetime import datetime

from tenants.models import Member, Role, Tenant, UsagePlan, User
from tenants.services import tenant_create, usage_plan_save

PASSWORD = "barrier-station-53"


@dataclass(frozen=True)
class Cast:
    """Three people with the password PASSWORD, and the tenants of two of them."""

    alice: User
    bob: User
    charlie: User
    alice_corp: Tenant
    charlie_corp: Tenant


def usage_plan_free(*, now: datetime) -> UsagePlan:
    """Create the usage plan that the seeded plan `free` has."""
    return usage_plan_save(
        usage_plan=UsagePlan(
            code="free",
            name="Free",
            rate_limit=10,
            burst_limit=20,
            quota_limit=100,
            is_prorated=False,
        ),
        now=now,
    )


def assemble(*, usage_plan: UsagePlan, now: datetime) -> Cast:
    """Create the cast, both tenants on `usage_plan`."""
    alice, bob, charlie = (
        User.objects.create_user(f"{name}@example.com", PASSWORD)
        for name in ("alice", "bob", "charlie")
    )
    alice_corp = tenant_create(name="Alice Corp", owner=alice, usage_plan=usage_plan, now=now)
    Member.objects.create(tenant=alice_corp, user=bob, role=Role.DEVELOPER, created_at=now)
    charlie_corp = tenant_create(name="Charlie Corp", owner=charlie, usage_plan=usage_plan, now=now)
    return Cast(alice, bob, charlie, alice_corp, charlie_corp)

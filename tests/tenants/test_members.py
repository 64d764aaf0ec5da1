"""Members: who may change whose place, an owner always left, and who is told."""

from functools import partial

import pytest
from django.utils import timezone

from tenants import services
from tenants.errors import Refused
from tenants.models import AuditEntry, Mail, Member, Role, Tenant, User
from tenants.permissions import Act, roles_given_by
from tenants.services.mails import mail_members, mails_waiting
from tests.billing.races import at_once
from tests.cast import Cast

NOW = timezone.now


@pytest.fixture
def tenant(cast: Cast) -> Tenant:
    return cast.alice_corp


def of(tenant: Tenant, user: User) -> Member:
    return Member.objects.get(tenant=tenant, user=user)


def join(tenant: Tenant, name: str, role: str) -> Member:
    user = User.objects.create_user(f"{name}@example.com")
    return Member.objects.create(tenant=tenant, user=user, role=role, created_at=NOW())


@pytest.mark.django_db
class TestRoles:
    def test_nobody_gives_or_takes_a_role_above_their_own(self, cast: Cast, tenant: Tenant) -> None:
        owner, developer = of(tenant, cast.alice), of(tenant, cast.bob)
        admin = join(tenant, "ada", Role.ADMIN)
        change = partial(services.member_change_role, now=NOW())
        for actor, member, role in (
            (admin.user, developer, Role.OWNER),
            (admin.user, owner, Role.DEVELOPER),
            (admin.user, developer, "emperor"),
            (cast.bob, developer, Role.ADMIN),
            (cast.charlie, developer, Role.ADMIN),
        ):
            with pytest.raises(Refused):
                change(member=member, role=role, actor=actor)
        assert roles_given_by(developer) == []
        assert change(member=developer, role=Role.ADMIN, actor=admin.user).role == Role.ADMIN
        change(member=developer, role=Role.ADMIN, actor=admin.user)  # again: nothing more
        (mail,) = Mail.objects.all()
        assert (mail.kind, mail.to) == ("tenants.role_changed", "bob@example.com")
        entry = AuditEntry.objects.get(action="member.role_changed")
        assert (entry.actor, entry.target) == (admin.user, "bob@example.com")
        assert entry.data == {"previous": "developer", "role": "admin"}

    def test_the_last_owner_can_neither_step_down_nor_leave(
        self, cast: Cast, tenant: Tenant
    ) -> None:
        owner = of(tenant, cast.alice)
        for act in (
            lambda: services.member_change_role(
                member=owner, role=Role.ADMIN, actor=cast.alice, now=NOW()
            ),
            lambda: services.member_remove(member=owner, actor=cast.alice, now=NOW()),
            lambda: services.member_leave(member=owner, now=NOW()),
        ):
            with pytest.raises(Refused, match="needs an owner"):
                act()
        assert of(tenant, cast.alice).role == Role.OWNER

    def test_who_is_removed_is_told_and_may_do_nothing_more(
        self, cast: Cast, tenant: Tenant
    ) -> None:
        admin = join(tenant, "ada", Role.ADMIN)
        services.member_remove(member=admin, actor=cast.alice, now=NOW())
        assert Mail.objects.get(kind="tenants.removed").to == "ada@example.com"
        with pytest.raises(Refused, match="not a member"):
            services.member_remove(member=of(tenant, cast.bob), actor=admin.user, now=NOW())
        with pytest.raises(Refused, match="not a member"):
            services.member_remove(member=admin, actor=cast.alice, now=NOW())
        services.member_leave(member=of(tenant, cast.bob), now=NOW())
        assert [each.user for each in tenant.members.all()] == [cast.alice]
        actions = AuditEntry.objects.filter(action__startswith="member.")
        assert {each.action for each in actions} == {"member.removed", "member.left"}

    def test_a_locked_owner_cannot_hand_it_over_and_counts_for_none(
        self, cast: Cast, tenant: Tenant
    ) -> None:
        locked = join(tenant, "ada", Role.OWNER)
        User.objects.filter(pk=locked.user_id).update(is_active=False)
        with pytest.raises(Refused, match="needs an owner"):
            services.member_leave(member=of(tenant, cast.alice), now=NOW())
        services.member_remove(member=locked, actor=cast.alice, now=NOW())

    def test_who_has_gone_gets_none_of_the_mails_that_wait_but_those_of_themselves(
        self, cast: Cast, tenant: Tenant
    ) -> None:
        now = NOW()
        admin = join(tenant, "ada", Role.ADMIN)
        Member.objects.filter(user=cast.charlie).delete()
        elsewhere = Member.objects.create(
            tenant=cast.charlie_corp, user=admin.user, role=Role.ADMIN, created_at=now
        )
        for member in (admin, elsewhere):
            mail_members(
                tenant=member.tenant, act=Act.BUY, kind="billing.card_expires",
                key=f"card:{member.pk}", context={}, now=now,
            )  # fmt: skip
        services.ownership_transfer(member=admin, actor=cast.alice, now=now)
        services.ownership_transfer(member=of(tenant, cast.alice), actor=admin.user, now=now)
        services.member_remove(member=admin, actor=cast.alice, now=now)
        waiting = [mail for mail in mails_waiting(now=now) if mail.to == "ada@example.com"]
        assert {(mail.tenant, mail.kind) for mail in waiting} == {
            (tenant, "tenants.transferred"), (tenant, "tenants.removed"),
            (cast.charlie_corp, "billing.card_expires"),
        }  # fmt: skip
        others = {mail.kind for mail in mails_waiting(now=now) if mail.to == "alice@example.com"}
        assert "billing.card_expires" in others

    def test_an_owner_hands_over_and_is_an_admin_then(self, cast: Cast, tenant: Tenant) -> None:
        bob = of(tenant, cast.bob)
        with pytest.raises(Refused, match="may not"):
            services.ownership_transfer(member=bob, actor=cast.bob, now=NOW())
        services.ownership_transfer(member=bob, actor=cast.alice, now=NOW())
        roles = dict(tenant.members.values_list("user__email", "role"))
        assert roles == {"alice@example.com": Role.ADMIN, "bob@example.com": Role.OWNER}
        assert set(Mail.objects.values_list("to", flat=True)) == set(roles)
        with pytest.raises(Refused, match="may not"):
            services.ownership_transfer(member=bob, actor=cast.alice, now=NOW())


@pytest.mark.django_db(transaction=True)
@pytest.mark.database
def test_two_owners_who_demote_each_other_at_once_leave_one(cast: Cast, tenant: Tenant) -> None:
    Member.objects.filter(user=cast.bob).update(role=Role.OWNER)
    alice, bob = of(tenant, cast.alice), of(tenant, cast.bob)
    change = partial(services.member_change_role, role=Role.DEVELOPER, now=NOW())
    outcomes = at_once(
        lambda: change(member=bob, actor=cast.alice), lambda: change(member=alice, actor=cast.bob)
    )
    assert sum(isinstance(each, Refused) for each in outcomes) == 1
    assert Member.objects.filter(tenant=tenant, role=Role.OWNER).count() == 1

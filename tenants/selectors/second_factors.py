"""Who has a second factor, and where one is required.

A recovery code is none by itself: it stands in for one that is lost.
"""

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from tenants.models import Member, User

MAIN = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def _factors(users: Iterable[int]) -> QuerySet[Authenticator]:
    found: QuerySet[Authenticator] = Authenticator.objects.filter(user__in=users, type__in=MAIN)
    return found


def has_second_factor(*, user: User) -> bool:
    """Say whether signing in takes more than this person's password."""
    return _factors([user.pk]).exists()


def with_second_factor(*, members: Iterable[Member]) -> set[int]:
    """Return the ids of those members' users who have one."""
    return set(_factors([member.user_id for member in members]).values_list("user", flat=True))


def is_barred(*, member: Member) -> bool:
    """Say whether the tenant requires a second factor that this member has not."""
    return member.tenant.requires_second_factor and not has_second_factor(user=member.user)


def tenants_lost_with_factor(*, user: User | AnonymousUser) -> list[str]:
    """Return the names of the tenants that are closed to somebody once their only factor goes."""
    if user.is_anonymous or _factors([user.pk]).count() != 1:
        return []
    mine = Member.objects.filter(user=user, tenant__requires_second_factor=True)
    return list(mine.values_list("tenant__name", flat=True))

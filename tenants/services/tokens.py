"""Tokens for the management API: create, revoke, note that one is used.

Who makes one is read again under the tenant's lock, which revoking takes too: nothing is made by a
token, or a member, that has just ended.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import key_values, token_values
from tenants.errors import Invalid, Refused
from tenants.models import ApiToken, Tenant, User
from tenants.names import tidied
from tenants.permissions import Act, may
from tenants.scopes import Scope, scopes_named, scopes_of
from tenants.selectors.tokens import api_tokens
from tenants.services.audit import audit_record
from tenants.services.leaving import tenant_open_check
from tenants.services.members import member_acting, tenant_locked

USUAL_DAYS = 90
MOST_DAYS = 365
MOST_TOKENS = 100


@transaction.atomic
def api_token_create(
    *,
    tenant: Tenant,
    user: User | None,
    name: str,
    scopes: Collection[Scope],
    days: int | None,
    actor: User | None,
    made_by: ApiToken | None = None,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Create a token; return it with its value, which is in no row, and can never be had again.

    It acts as `user`, or as nobody in person. It is made by the member `actor`, with the token
    `made_by`, or both; `days` None: it does not expire. Raise Refused for a bad name, no scope, one
    that the maker has not, a bad or too late end, a machine's where the maker may make none, a
    maker who has ended, or where the tenant has too many.
    """
    tenant = tenant_locked(tenant)
    tenant_open_check(tenant=tenant)
    within = _scopes_of_maker(tenant, actor, made_by, for_machines=user is None, now=now)
    name = tidied(name)
    if not name or len(name) > 60:
        raise Invalid(_("Give the token a name of 1 to 60 characters."), field="name")
    if not scopes or not set(scopes) <= set(within):
        raise Refused(_("Choose at least one scope, and only from those that you have."))
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused(_("A token works for 1 to 365 days, or until it is revoked."))
    expires_at = None if days is None else now + timedelta(days=days)
    latest = made_by.expires_at if made_by else None
    if latest is not None and (expires_at is None or expires_at > latest):
        raise Refused(_("A token cannot make one that works longer than itself."))
    if api_tokens(tenant=tenant, now=now).count() >= MOST_TOKENS:
        raise Refused(_("You have 100 tokens. Revoke one first."))
    value = token_values.random_value()
    token = ApiToken.objects.create(
        tenant=tenant,
        user=user,
        name=name,
        digest=key_values.digest(value),
        last_four=value[-4:],
        scopes=sorted(scopes),
        created_by=actor,
        made_by=made_by,
        created_at=now,
        expires_at=expires_at,
    )
    audit_record(
        action="api_token.created",
        tenant=tenant,
        actor=actor,
        now=now,
        target=name,
        scopes=token.scopes,
    )
    return token, value


@transaction.atomic
def api_token_revoke(*, token: ApiToken, actor: User | None, now: datetime) -> None:
    """Revoke a token and all that it made, for good, from the next call on; again does nothing.

    Whoever stole it may have made others to stay.
    """
    tenant = tenant_locked(token.tenant)
    ending = list(ApiToken.objects.filter(pk=token.pk, revoked_at=None))
    while ending:
        for each in ending:
            each.revoked_at = now
            each.save(update_fields=["revoked_at"])
            audit_record(
                action="api_token.revoked", tenant=tenant, actor=actor, now=now, target=each.name
            )
        ending = list(ApiToken.objects.filter(made_by__in=ending, revoked_at=None))


def api_token_used(*, token: ApiToken, now: datetime) -> None:
    """Note the UTC day of a token's last use, once a day."""
    today = now.astimezone(UTC).date()
    if token.last_used_on != today:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=today)


def _scopes_of_maker(
    tenant: Tenant,
    actor: User | None,
    made_by: ApiToken | None,
    *,
    for_machines: bool,
    now: datetime,
) -> frozenset[Scope]:
    """Return what whoever makes a token can do at this moment. Raise Refused if they may not.

    A personal token makes no machine's: that would outlive its member's role.
    """
    limits = []
    if actor is not None:
        member = member_acting(tenant, actor)
        if for_machines and not may(member, Act.CHANGE_TOKENS):
            raise Refused(_("Your role may not do this."))
        limits.append(scopes_of(member))
    if made_by is not None:
        if not api_tokens(tenant=tenant, now=now).filter(pk=made_by.pk).exists():
            raise Refused(_("The token that you call with has ended."))
        if for_machines and not made_by.is_machines:
            raise Refused(_("A personal token makes no machine's token."))
        limits.append(scopes_named(made_by.scopes))
    return frozenset.intersection(*limits)

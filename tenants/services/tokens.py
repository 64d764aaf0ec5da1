"""Tokens for the management API: create, revoke, note that one is used."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import key_values, token_values
from tenants.errors import Refused
from tenants.models import ApiToken, Tenant, User
from tenants.scopes import Scope
from tenants.selectors.tokens import api_tokens
from tenants.services.audit import audit_record

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
    within: Collection[Scope],
    days: int | None,
    latest: datetime | None,
    actor: User | None,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Create a token; return it with its value, which is in no row, and can never be had again.

    It acts as `user`, or as nobody in person. `within` is what its maker can do, and `latest` when
    the maker's own token ends; `days` None: it does not expire. Raise Refused for a bad name, no
    scope, one that the maker has not, a bad or too late end, or where the tenant has too many.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    name = " ".join(name.split())
    if not name or len(name) > 60:
        raise Refused(_("Give the token a name of 1 to 60 characters."))
    if not scopes or not set(scopes) <= set(within):
        raise Refused(_("Choose at least one scope, and only from those that you have."))
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused(_("A token works for 1 to 365 days, or until it is revoked."))
    expires_at = None if days is None else now + timedelta(days=days)
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
    """Revoke a token for good, from the next call on; again does nothing."""
    locked = ApiToken.objects.select_for_update().get(pk=token.pk)
    if locked.revoked_at is not None:
        return
    locked.revoked_at = now
    locked.save(update_fields=["revoked_at"])
    audit_record(
        action="api_token.revoked",
        tenant=token.tenant,
        actor=actor,
        now=now,
        target=locked.name,
    )


def api_token_used(*, token: ApiToken, now: datetime) -> None:
    """Note the UTC day of a token's last use, once a day."""
    today = now.astimezone(UTC).date()
    if token.last_used_on != today:
        ApiToken.objects.filter(pk=token.pk).update(last_used_on=today)

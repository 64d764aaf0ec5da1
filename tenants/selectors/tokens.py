"""Tokens for the management API, and whom a call with one acts as."""

from datetime import datetime

from django.db.models import Q, QuerySet

from tenants.models import ApiToken, Member, Tenant


def api_tokens(*, tenant: Tenant, now: datetime) -> QuerySet[ApiToken]:
    """Return the tenant's tokens that work or would, for their owner's sake: newest first."""
    living = ApiToken.objects.filter(tenant=tenant, revoked_at=None)
    living = living.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return living.select_related("user", "created_by")


def api_token_by_digest(*, digest: str) -> ApiToken | None:
    """Return a token that was not revoked, by its value's digest; it may have expired."""
    tokens = ApiToken.objects.filter(revoked_at=None, digest=digest)
    return tokens.select_related("tenant__usage_plan", "user").first()


def member_of_token(*, token: ApiToken) -> Member | None:
    """Return the membership that a personal token acts by, None once there is none any more.

    Who left and came back does not bring old tokens to life. Who may not sign in has none.
    """
    if token.user_id is None:
        return None
    members = Member.objects.filter(
        tenant_id=token.tenant_id, user_id=token.user_id, user__is_active=True
    )
    since = members.filter(created_at__lte=token.created_at)
    return since.select_related("tenant__usage_plan", "user").first()

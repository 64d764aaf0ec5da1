"""What every template knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from tenants import selectors
from tenants.permissions import acts_of


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's own facts, and the current tenant where a view has found one."""
    member = getattr(request, "member", None)
    return {
        "api_base_url": settings.API_BASE_URL,
        "site_url": settings.SITE_URL,
        "member": member,
        "tenant": member.tenant if member else None,
        "memberships": selectors.memberships(user=member.user) if member else [],
        "may": acts_of(member) if member else {},
    }

"""What every template knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.overdue import banner
from portal import sign_up_modes
from portal.views.access import member_of
from tenants import selectors
from tenants.models import User
from tenants.permissions import acts_of
from tenants.stages import api_base_url


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's own facts, and the current tenant where a view has found one."""
    member = getattr(request, "member", None) or member_of(request)
    takes_approval = sign_up_modes.takes_approval()
    return {
        "api_base_url": api_base_url,  # a function: pages that show it ask
        "site_url": settings.SITE_URL,
        "sign_up_is_closed": sign_up_modes.is_closed(),
        "sign_up_takes_approval": takes_approval,
        "sign_up_action": _("Request access") if takes_approval else _("Get a key"),
        "start_action": _("Request an organisation") if takes_approval else _("New organisation"),
        # A function: pages of whoever is signed in ask.
        "may_start": lambda: (
            isinstance(request.user, User) and sign_up_modes.may_start(request.user)
        ),
        "oidc_name": settings.OIDC_NAME,
        "oidc_provider_id": settings.OIDC_PROVIDER_ID,
        "member": member,
        "tenant": member.tenant if member else None,
        # A function: pages of members ask.
        "overdue_banner": lambda: (
            banner(tenant=member.tenant, now=timezone.now()) if member else None
        ),
        "unseen_alerts": lambda: selectors.alerts_unseen(tenant=member.tenant) if member else 0,
        "memberships": selectors.memberships(user=member.user) if member else [],
        "may": acts_of(member) if member else {},
        "lost_with_factor": lambda: selectors.tenants_lost_with_factor(user=request.user),
    }

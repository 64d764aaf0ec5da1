"""Addresses of the portal's pages, as mails, programs and Stripe's Checkout have them.

A page is of the organisation that its reader chose last, so such an address says whose it means.
The portal chooses that one for each of its members, and tells others 404 (portal/views/access.py).
"""

from django.conf import settings

from tenants.models import Tenant

PARAMETER = "tenant"


def whose(tenant: Tenant | None) -> str:
    """Return what a page's address ends with that is a tenant's; nothing for one of nobody's."""
    return f"?{PARAMETER}={tenant.uuid}" if tenant else ""


def address(tenant: Tenant, path: str) -> str:
    """Return the whole address of a tenant's page."""
    return f"{settings.SITE_URL}{path}{whose(tenant)}"

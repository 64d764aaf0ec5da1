"""Addresses of the portal's pages, as mails and programs tell them.

A page is of the organisation that its reader chose last, so such an address says whose it means.
The portal chooses that one for each of its members, and tells others 404 (portal/views/access.py).
"""

from tenants.models import Tenant

PARAMETER = "tenant"


def whose(tenant: Tenant | None) -> str:
    """Return what a page's address ends with that is a tenant's; nothing for one of nobody's."""
    return f"?{PARAMETER}={tenant.uuid}" if tenant else ""

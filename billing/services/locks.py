"""What a transaction about money locks, always in this order: the tenant, then the invoice.

The tenant's row guards the credit that is drawn on; whoever locks the invoice first and something
of the tenant afterwards could wait for somebody who waits for them.
"""

from billing.models import Invoice
from tenants.models import Tenant


def invoice_locked(invoice_id: int) -> Invoice:
    """Lock a tenant and its invoice; return the invoice as it is now."""
    tenant_id = Invoice.objects.values_list("tenant_id", flat=True).get(pk=invoice_id)
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
    invoice.tenant = tenant
    return invoice

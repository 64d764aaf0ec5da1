"""What a transaction about money locks, always in this order: the order, the tenant, the invoice,
what is of these, and the counter of invoices' numbers last.

The tenant's row guards all that is the tenant's, such as the credit that is drawn on; whoever locks
the invoice first and something of the tenant afterwards could wait for somebody who waits for them.
A row that points at a tenant locks it too, lightly, when it is committed: who changes one row and
adds another, such as an entry of the audit log, locks the tenant first.
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

"""Write the books: each event once, in the transaction that makes it so."""

from collections.abc import Mapping
from datetime import datetime

from billing.models import Account, Entry, Invoice, Posting
from tenants.models import Tenant


def post(
    *,
    key: str,
    entries: Mapping[Account, int],
    currency: str,
    now: datetime,
    tenant: Tenant | None = None,
    invoice: Invoice | None = None,
) -> Posting:
    """Write a posting, debits above zero, in minor units; one of this key is left as it is.

    Call it in the transaction of what it notes. Raise ValueError where it does not balance.
    """
    entries = {account: amount for account, amount in entries.items() if amount}
    if sum(entries.values()):
        raise ValueError(f"{key} does not balance: {entries}")
    posting, is_new = Posting.objects.get_or_create(
        key=key,
        defaults={
            "tenant": tenant,
            "invoice": invoice,
            "currency": currency,
            "posted_at": now,
        },
    )
    if is_new:
        Entry.objects.bulk_create(
            Entry(posting=posting, account=account, amount=amount)
            for account, amount in entries.items()
        )
    return posting

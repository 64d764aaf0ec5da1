"""What leases learn from the live meter: how much each version has used since its lease began.

Nothing is learnt where the meter cannot have counted all: it began later, minutes were left out, or
on some day of the period it counted less than was billed in the end. A line that was lost today is
not known yet: the meter is best-effort, and the promise of docs/quota.md is as good as it is.
"""

from collections import defaultdict
from datetime import datetime

from tenants import selectors
from tenants.models import Entitlement, Lease
from tenants.periods import Period


def leases_see_live(*, entitlement: Entitlement, held: list[Lease]) -> None:
    """Note on each lease of the entitlement what was counted, and up to when; or that nobody knows.

    A lease's counter begins with the period, or with the version's move to this plan: no later than
    the key was first enabled there.
    """
    opens_at = Period(entitlement.period_start, entitlement.period_end).opens_at
    began = {lease: max(opens_at, lease.opened_at) for lease in held if lease.opened_at}
    as_of, meter = selectors.live_as_of(), selectors.live_meter()
    lossy = selectors.live_lossy(versions=[lease.version_id for lease in held], since=opens_at)
    counted: dict[datetime, list[Lease]] = defaultdict(list)
    for lease, since in began.items():
        if meter and meter.complete_since <= since and lease.version_id not in lossy:
            counted[since].append(lease)
    for lease in held:
        lease.live_used, lease.live_at = 0, None
    for since, leases in counted.items():
        used = selectors.live_used(versions=[lease.version_id for lease in leases], since=since)
        for lease in leases:
            lease.live_used, lease.live_at = used[lease.version_id], as_of
    Lease.objects.bulk_update(held, ["live_used", "live_at"])

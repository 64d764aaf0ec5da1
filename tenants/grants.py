"""What became of the requests that a tenant was granted: pure, no database."""

from collections.abc import Sequence


def used_of_each(*, plan: int, grants: Sequence[int], used: int) -> list[int]:
    """Return how much of each grant a period's `used` requests have used up.

    Those of the plan count as used first, then the grants in their order. What the gateway let
    past all of them is nobody's.
    """
    left = max(used - plan, 0)
    shares = []
    for requests in grants:
        share = min(requests, left)
        shares.append(share)
        left -= share
    return shares

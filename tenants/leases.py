"""The arithmetic of leases (docs/quota.md): pure, no database, no gateway, no clock of its own.

The gateway counts per key, tells us late and can only be set. What we can know of a version's use
lies between `seen` (what GetUsage said) and `used_at_most` (Û). A lease L is written by setting
`/remaining` to N = L - Û: from then on the version uses at most L in the period.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


@dataclass(frozen=True)
class Rules:
    """How late the gateway's figures may be, and after how long an unchanged one is believed."""

    lag: timedelta
    settle: timedelta


@dataclass(frozen=True)
class Throttle:
    """How many calls a key may send: `rate` in requests per second, `burst` in requests."""

    rate: float = 0.0
    burst: int = 0

    def or_more(self, other: "Throttle") -> "Throttle":
        """Return one that lets pass whatever either does."""
        return Throttle(max(self.rate, other.rate), max(self.burst, other.burst))


@dataclass(frozen=True)
class Position:
    """What is known of one lease: the columns of `Lease`, and the plan's throttle.

    Up to `earlier_until` (None: ever) the throttle was another. `opened_at` is when the key was
    first enabled under this lease (None: never, so nothing can have been used), `closed_at` when it
    was disabled for good. `live_used` is what the live meter has counted of the calls up to
    `live_at` (None: it is off), if it lost none. `rejoined_used` is the most that was used when the
    key came back to a plan, disabled, at `rejoined_at` (None: it has been enabled since, or never
    left).
    """

    limit: int
    written_remaining: int
    opened_at: datetime | None
    closed_at: datetime | None = None
    written_seen: int = 0
    written_at: datetime | None = None
    pending_limit: int | None = None
    pending_remaining: int = 0
    pending_seen: int = 0
    pending_at: datetime | None = None
    seen_used: int = 0
    seen_remaining: int | None = None
    seen_at: datetime | None = None
    seen_since: datetime | None = None
    live_used: int = 0
    live_at: datetime | None = None
    rejoined_used: int | None = None
    rejoined_at: datetime | None = None
    throttle: Throttle = Throttle()
    earlier_throttle: Throttle = Throttle()
    earlier_until: datetime | None = None

    @property
    def ceiling(self) -> int:
        """The most that the gateway may let pass: the larger lease while a write is unconfirmed."""
        return max(self.limit, self.pending_limit or 0)

    @property
    def is_idle(self) -> bool:
        """Whether the key has not been enabled since it joined the plan."""
        return self.opened_at is None or self.rejoined_used is not None


def is_settled(position: Position, rules: Rules) -> bool:
    """Say whether the same figure has been read again at least `settle` later."""
    if position.seen_at is None or position.seen_since is None:
        return False
    age = position.seen_at - position.seen_since
    return age > timedelta(0) and age >= rules.settle


def is_dry(position: Position) -> bool:
    """Say whether a zero is believed: the quota was hit after our last write took effect.

    A zero whose `used` is less than what that write allowed is stale. One that we wrote ourselves
    (N = 0) proves nothing about what was used.
    """
    return (
        position.pending_limit is None
        and position.seen_remaining == 0
        and position.written_remaining > 0
        and position.seen_used >= position.written_seen + position.written_remaining
    )


def used_at_most(position: Position, rules: Rules, now: datetime) -> int:
    """Return Û: the most that the version can have used by `now`, in requests.

    A settled figure alone is not believed: it says nothing of the time that GetUsage has not told
    of yet (docs/adr/0004). It only means that no burst was under way. The live meter tells of most
    of that time.
    """
    if position.opened_at is None:
        return 0
    if position.rejoined_used is not None:
        is_final = _is_read_after(position, position.rejoined_at, rules)
        return position.seen_used if is_final else max(position.seen_used, position.rejoined_used)
    if is_dry(position) or _is_final(position, rules):
        return position.seen_used
    used_until = min(now, position.closed_at) if position.closed_at else now
    read_until = (position.seen_at or position.opened_at) - rules.lag
    is_burst_over = is_settled(position, rules)
    most = position.seen_used + _could_pass(
        position, read_until, used_until, burst=not is_burst_over
    )
    if position.live_at is not None and _is_live_believed(position):
        is_behind = position.live_at < used_until
        unseen = _could_pass(position, position.live_at, used_until, burst=is_behind)
        most = min(most, position.live_used + unseen)
    if _is_told_since_write(position, rules):
        most = min(most, position.seen_used + position.written_remaining)
    return max(position.seen_used, min(position.ceiling, most))


def _could_pass(position: Position, start: datetime, end: datetime, *, burst: bool) -> int:
    """Return how many calls may have passed from `start` to `end`, with a burst if need be."""
    now_on, earlier = position.throttle, position.earlier_throttle
    change = position.earlier_until
    if change is None or change <= start:
        passed, largest = now_on.rate * _seconds(start, end), now_on.burst
    else:
        passed = earlier.rate * _seconds(start, min(change, end))
        passed += now_on.rate * _seconds(change, end)
        largest = max(earlier.burst, now_on.burst)
    return int(passed) + (largest if burst else 0)


def _seconds(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds(), 0)


def _is_live_believed(position: Position) -> bool:
    """Say whether the live meter has counted all: what GetUsage, which is later, has seen.

    A meter that has lost lines has less, and is not believed until the period ends.
    """
    return position.live_used >= position.seen_used


def _is_told_since_write(position: Position, rules: Rules) -> bool:
    """Say whether the figure has all calls before the last write: after it the key had only what
    that write set, which may be nothing.
    """
    return position.pending_limit is None and _is_read_after(position, position.written_at, rules)


def _is_final(position: Position, rules: Rules) -> bool:
    """Say whether the key was closed, and read again when no call could still be missing."""
    return _is_read_after(position, position.closed_at, rules)


def _is_read_after(position: Position, moment: datetime | None, rules: Rules) -> bool:
    """Say whether the figure has all calls from before a moment."""
    return (
        moment is not None
        and position.seen_at is not None
        and position.seen_at >= moment + rules.lag
    )


class Outcome(Enum):
    """What became of a write whose answer never came."""

    APPLIED = "applied"
    NOT_APPLIED = "not applied"
    UNKNOWN = "unknown"


def pending_outcome(position: Position, rules: Rules) -> Outcome:
    """Tell from a reading that is newer than the write whether it took effect.

    Used plus remaining is the lease that is in force; more of it than the old lease allows can
    only come from the new one. That it did *not* take effect is known only from a reading that
    cannot be older than the write, which is `lag` after it.
    """
    if (
        position.pending_limit is None
        or position.pending_at is None
        or position.seen_at is None
        or position.seen_remaining is None
        or position.seen_at <= position.pending_at
    ):
        return Outcome.UNKNOWN
    in_force = position.seen_used + position.seen_remaining
    is_fresh = position.seen_at >= position.pending_at + rules.lag
    if position.pending_limit > position.limit:
        asked = position.pending_seen + position.pending_remaining
        if in_force > position.limit and (position.seen_remaining > 0 or in_force >= asked):
            return Outcome.APPLIED
        return Outcome.NOT_APPLIED if is_fresh else Outcome.UNKNOWN
    if not is_fresh:
        return Outcome.UNKNOWN
    return Outcome.APPLIED if in_force <= position.pending_limit else Outcome.NOT_APPLIED


@dataclass(frozen=True)
class Write:
    """Set `/remaining` to `remaining`; the lease is then `limit`."""

    limit: int
    remaining: int


class Wait(Enum):
    """Why nothing is written now."""

    NOTHING_TO_DO = "nothing to do"
    OWED = "owed until the usage settles or the key is dry"


def next_write(position: Position, target: int, rules: Rules, now: datetime) -> Write | Wait:
    """Say what to write so that the lease becomes `target`, or why not now.

    A raise never lowers what the key has: it is owed where that could happen. A release frees at
    most what cannot have been used. A lease that is right already is written again only to repay
    what uncertainty had held back.
    """
    most = used_at_most(position, rules, now)
    limit = max(target, most)
    write = Write(limit=limit, remaining=limit - most)
    if position.pending_limit is not None:
        # Only a key that was not enabled yet can be set again while an outcome is unknown.
        return write if position.is_idle else Wait.OWED
    if limit > position.limit:
        could_have = position.limit - position.seen_used
        return write if write.remaining >= could_have else Wait.OWED
    if limit < position.limit:
        return write
    return write if _holds_back(position, write, rules) else Wait.NOTHING_TO_DO


def _holds_back(position: Position, write: Write, rules: Rules) -> bool:
    """Say whether the key has less than its lease, as a reading from after the last write shows, or
    because it came back to a plan, whose counter may be fresh.
    """
    if position.rejoined_used is not None:
        return write.remaining > position.written_remaining
    if position.opened_at is None or position.seen_at is None or position.seen_remaining is None:
        return False
    if position.written_at is not None:
        is_newer = position.seen_at > position.written_at
        if not is_newer or position.seen_at < position.written_at + rules.lag:
            return False
    return write.remaining > position.seen_remaining


@dataclass(frozen=True)
class Claim:
    """A living version's part in the sharing.

    `needs` says that it has run dry, or is new: that something has to move towards it.
    `used_of_late` is what it was seen to use since its lease was last written, in requests (None:
    it is new).
    """

    ceiling: int
    most_used: int
    needs: bool
    used_of_late: int | None = None


def shares(
    entitlement: int, advance: int, uncertain: int, claims: Mapping[int, Claim]
) -> dict[int, int]:
    """Share out what the living versions of a tenant may use: return each one's lease by its key.

    `entitlement` is without what versions that are gone have used. What is free goes to whoever
    needs it, else to the first. Where somebody needs and nothing is free, all that is unused is
    shared by use; so nothing is written where nothing has to move. The advance is lent only to
    versions that would have nothing otherwise, never to a tenant's only one, and no more of it
    than is `uncertain` (what all versions, those gone included, may have used but were not seen
    to), because that is what comes back as usage settles.
    """
    if not claims:
        return {}
    targets = {key: claim.ceiling for key, claim in claims.items()}
    needy = [key for key, claim in claims.items() if claim.needs]
    free = entitlement - sum(targets.values())
    if free < 0 or (needy and free < len(needy)):
        targets = {key: claim.most_used for key, claim in claims.items()}
        _spread_by_use(targets, claims, entitlement - sum(targets.values()))
    else:
        _spread(targets, needy or list(claims)[:1], free)
    if len(claims) > 1:
        # Those to whom it is lent already need nothing now, and would have nothing without it.
        empty = [
            key
            for key, claim in claims.items()
            if targets[key] <= claim.most_used and (claim.needs or claim.ceiling > claim.most_used)
        ]
        lent = min(advance, uncertain)
        _spread(targets, empty, entitlement + lent - sum(targets.values()))
    return targets


def _spread_by_use(targets: dict[int, int], claims: Mapping[int, Claim], free: int) -> None:
    """Add `free` requests to all targets: nine tenths by use of late, the rest evenly.

    So a key in use soon has nearly all, in few moves, and one that is not can begin. A new one
    counts as much as the others do on average.
    """
    known = [each.used_of_late for each in claims.values() if each.used_of_late is not None]
    average = sum(known) // len(known) if known else 0
    weights = {
        key: average if claim.used_of_late is None else claim.used_of_late
        for key, claim in claims.items()
    }
    by_use = max(free, 0) * 9 // 10
    for key, weight in weights.items():
        given = by_use * weight // max(sum(weights.values()), 1)
        targets[key] += given
        free -= given
    _spread(targets, sorted(claims, key=lambda key: not claims[key].needs), free)


def _spread(targets: dict[int, int], keys: Sequence[int], free: int) -> None:
    """Add `free` requests to the targets of `keys`, evenly, the first taking what is left over."""
    if free <= 0 or not keys:
        return
    each, rest = divmod(free, len(keys))
    for index, key in enumerate(keys):
        targets[key] += each + (rest if index == 0 else 0)

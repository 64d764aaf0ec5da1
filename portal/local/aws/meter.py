"""Counters: one per usage plan and key, checked and counted in one step, committed at once.

A call is counted when it is admitted, before its backend runs: so a quota is exact however many
calls are in flight, and a crash errs towards counted. `remaining` starts at the plan's limit with
every period and every attachment, and UpdateUsage sets it. When a plan's limit changes in
mid-period, remaining becomes the new limit minus what was spent, unless UpdateUsage had set it:
then it stays. When the kind of period changes, what UpdateUsage set is forgotten.

Counters are cached and written through: the file is always right, `forget` is always safe.
"""

from dataclasses import dataclass

from portal.local.aws.clock import Clock
from portal.local.aws.history import History, Reading
from portal.local.aws.periods import day_at, period_start
from portal.local.aws.plan_model import Quota
from portal.local.aws.store import Store

_WRITE = """
INSERT INTO usage_day (plan_id, key_id, day, used, remaining, spent, pinned)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET used = excluded.used, remaining = excluded.remaining,
    spent = excluded.spent, pinned = excluded.pinned
"""
_READ = """
SELECT day, used, remaining, spent, pinned FROM usage_day
WHERE plan_id = ? AND key_id = ? AND day BETWEEN ? AND ? ORDER BY day DESC LIMIT 1
"""
_SUM = """
SELECT coalesce(sum(used), 0) FROM usage_day
WHERE plan_id = ? AND key_id = ? AND day BETWEEN ? AND ?
"""


@dataclass(slots=True)
class Counter:
    """Where one key stands under one plan on `day`. `remaining` is None without a quota."""

    plan_id: str
    key_id: str
    day: int
    used: int
    remaining: int | None
    spent: int
    pinned: bool
    stored: bool

    def reading(self) -> Reading | None:
        return Reading(self.used, self.remaining) if self.stored else None


class Meter:
    """`keep_on_attach`: a key that comes back to a plan finds its counter as it left it, instead of
    a fresh one. Which of the two AWS does is not documented, so code above must stand both."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._db = store.db
        self._clock = clock
        self.history = History()
        self.keep_on_attach = False
        self._counters: dict[tuple[str, str], Counter] = {}

    def forget(self) -> None:
        """Drop what is cached, after plans or keys changed."""
        self._counters.clear()

    def counter(self, plan_id: str, key_id: str, quota: Quota | None) -> Counter:
        """The counter as it stands now."""
        day = day_at(self._clock.time())
        counter = self._counters.get((plan_id, key_id))
        if counter is None or counter.day != day:
            counter = self._counters[plan_id, key_id] = self._load(plan_id, key_id, quota, day)
        return counter

    def is_used_up(self, plan_id: str, key_id: str, quota: Quota | None) -> bool:
        """Whether nothing remains."""
        return self.counter(plan_id, key_id, quota).remaining == 0

    def take(self, plan_id: str, key_id: str, quota: Quota | None) -> None:
        """Count one request; something remains."""
        counter = self.counter(plan_id, key_id, quota)
        before = counter.reading()
        counter.used += 1
        counter.spent += 1
        if counter.remaining is not None:
            counter.remaining -= 1
        self._save(counter, before)

    def set_remaining(self, plan_id: str, key_id: str, quota: Quota, remaining: int) -> Counter:
        """UpdateUsage: what remains, for the current period only."""
        counter = self.counter(plan_id, key_id, quota)
        before = counter.reading()
        counter.remaining, counter.pinned = remaining, True
        self._save(counter, before)
        return counter

    def attach(self, plan_id: str, key_id: str, quota: Quota | None) -> None:
        """A key joined the plan. Its history stays; its counter starts afresh."""
        counter = self.counter(plan_id, key_id, quota)
        if self.keep_on_attach or (counter.spent == 0 and not counter.pinned):
            return
        before = counter.reading()
        counter.remaining = quota.limit if quota else None
        counter.spent, counter.pinned = 0, False
        self._save(counter, before)

    def requota(self, plan_id: str, old: Quota | None, new: Quota | None) -> None:
        """The plan's quota changed: carry every counter of its current period over."""
        same_period = old is not None and new is not None and old.period == new.period
        today = day_at(self._clock.time())
        since = min(period_start(it.period, today) for it in (old, new) if it) if old or new else 0
        rows = self._db.execute(
            "SELECT DISTINCT key_id FROM usage_day WHERE plan_id = ? AND day BETWEEN ? AND ?",
            (plan_id, since if old else 0, today),
        ).fetchall()
        for (key_id,) in rows:
            counter = self.counter(plan_id, key_id, old)
            if same_period and counter.pinned:
                continue
            before = counter.reading()
            if new is None:
                counter.remaining = None
            else:
                if not same_period:
                    start = period_start(new.period, counter.day)
                    key = (plan_id, key_id, start, counter.day)
                    counter.spent = self._db.execute(_SUM, key).fetchone()[0]
                counter.remaining = max(0, new.limit - counter.spent)
            counter.pinned = False
            self._save(counter, before)
        self.forget()

    def _load(self, plan_id: str, key_id: str, quota: Quota | None, day: int) -> Counter:
        start = period_start(quota.period, day) if quota else 0
        row = self._db.execute(_READ, (plan_id, key_id, start, day)).fetchone()
        if row is None:
            limit = quota.limit if quota else None
            return Counter(plan_id, key_id, day, 0, limit, 0, pinned=False, stored=False)
        today = row["day"] == day
        return Counter(
            plan_id,
            key_id,
            day,
            used=row["used"] if today else 0,
            remaining=row["remaining"],
            spent=row["spent"],
            pinned=bool(row["pinned"]),
            stored=today,
        )

    def _save(self, counter: Counter, before: Reading | None) -> None:
        it = counter
        row = (it.plan_id, it.key_id, it.day, it.used, it.remaining, it.spent, it.pinned)
        try:
            self._db.execute(_WRITE, row)
        except BaseException:
            self._counters.pop((it.plan_id, it.key_id), None)
            raise
        it.stored = True
        after = Reading(it.used, it.remaining)
        self.history.note((it.plan_id, it.key_id, it.day), self._clock.time(), before, after)

"""How long does it take to close a month? `python -m bench.billing [--subscriptions N]`

Half of the subscriptions pay a flat fee, half by what they use, with 30 days of usage each. The
month is closed as beat does it: on the 2nd, when fees are issued and usage is read, and six hours
later, when it has settled. Beside it, the floor: Django's own bulk_create of the same finished
rows. On SQLite or, where DATABASE_URL says so, PostgreSQL, in a database of its own.

Prints seconds, their ratio, and how much memory was taken above what there was before; `--write`
puts the line into docs/billing.md. Exits with 1 below a target. Beside that it says what a dry run
takes before the close and the proof of the books after it, and how much longer the same close takes
where 24 closed months lie behind each of at most 5,000 subscriptions; and how many subscriptions a
second djaodjin-saas renews by its own monthly path, where pip can fetch it.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import tests.env  # noqa: F401  (the settings' variables, before anything reads them)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.test.utils import (  # noqa: E402
    setup_databases,
    setup_test_environment,
    teardown_databases,
)

from bench._djaodjin import renewed_a_second  # noqa: E402
from bench._past import past_write  # noqa: E402
from billing import services  # noqa: E402
from billing.models import (  # noqa: E402
    BilledUsage,
    Customer,
    Entry,
    Invoice,
    InvoiceLine,
    Posting,
    PriceVersion,
    Subscription,
    SubscriptionState,
    UsageReading,
)
from billing.proof import prove  # noqa: E402
from tenants.models import GatewayPlan, Member, Meter, Role, Tenant, UsageDay, User  # noqa: E402

DOCUMENT = Path("docs/billing.md")
_BEGIN, _END = "<!-- bench.billing: begin -->\n", "<!-- bench.billing: end -->\n"
MOST_TIMES = 2.0  # the floor
MOST_MEMORY = 200_000_000  # bytes
LEAST_TIMES_DJAODJIN = 100
PAST = 24  # closed months
MOST_WITH_PAST = 5_000  # subscriptions
MOST_WITH_PAST_TIMES = 1.1
TURNS = 3
CHUNK = 1_000
NOVEMBER = date(2026, 11, 1)
SECOND = datetime(2026, 12, 2, 1, tzinfo=UTC)
DAYS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--renewals", type=int, default=10_000, help="of djaodjin-saas; 0: none")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    setup_test_environment(debug=False)  # which would note each query with its values
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        is_met, a_second = measure(options.subscriptions, write=options.write)
    finally:
        teardown_databases(databases, verbosity=0)
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        is_met &= measure_past(min(options.subscriptions, MOST_WITH_PAST))
    finally:
        teardown_databases(databases, verbosity=0)
    if options.renewals:
        is_met &= compare(a_second, options.renewals)
    sys.exit(0 if is_met else 1)


def compare(a_second: float, renewals: int) -> bool:
    """Print how many subscriptions a second djaodjin-saas renews, beside how many we close."""
    theirs = renewed_a_second(renewals)
    if theirs is None:
        print("djaodjin-saas was not measured: pip could not fetch it.")
        return True
    print(f"djaodjin-saas renews {theirs:.0f} a second on SQLite: we are {a_second / theirs:.0f} ×")
    return a_second >= LEAST_TIMES_DJAODJIN * theirs


def measure(count: int, *, write: bool) -> tuple[bool, float]:
    """Close, print and note it; return whether that met the targets, and how many a second."""
    fill(count)
    _analyze()
    _timed("dry run", lambda: services.close_month(now=SECOND, dry_run=True))
    before = _memory_peak_reset()
    seconds, invoices = close()
    grown = _memory_peak() - before
    _timed("proof of the books", prove)
    floor, rows = write_again()
    ratio = seconds / floor
    line = (
        f"| {connection.vendor} | {count:,} | {seconds:.1f} s | {count / seconds:,.0f} "
        f"| {floor:.1f} s | {ratio:.2f} | {grown / 1e6:.0f} MB |\n"
    )
    print(f"{invoices:,} invoices, {rows:,} rows")
    print("| database | subscriptions | close | a second | floor | times the floor | memory |")
    print(line, end="")
    if write:
        _note(line)
    return ratio <= MOST_TIMES and grown <= MOST_MEMORY, count / seconds


def _analyze() -> None:
    """Gather statistics, and have what was filled in on disk: the close is not to do that."""
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("CHECKPOINT" if is_postgresql else "PRAGMA wal_checkpoint(TRUNCATE)")


def _timed(what: str, act: Callable[[], object]) -> None:
    begun = time.perf_counter()
    act()
    print(f"{what}: {time.perf_counter() - begun:.1f} s")


def measure_past(count: int) -> bool:
    """Close the same month in turns, with a past behind it and without one; print the ratio."""
    fill(count)
    ratios = []
    for _turn in range(TURNS):
        seconds = []
        for months in (0, PAST):
            _take_away()
            past_write(months=months, before=NOVEMBER)
            _analyze()
            seconds.append(close()[0])
        ratios.append(seconds[1] / seconds[0])
    times = statistics.median(ratios)
    print(f"{PAST} closed months behind {count:,} subscriptions: {times:.2f} times as long")
    return times <= MOST_WITH_PAST_TIMES


def _take_away() -> None:
    """Take all rows that closes have written away, and the past."""
    for model in reversed(FINISHED):
        model._base_manager.all()._raw_delete(connection.alias)
    UsageDay.objects.filter(day__lt=NOVEMBER).delete()
    Subscription.objects.update(starts_on=NOVEMBER)


def fill(count: int) -> None:
    """Write tenants with an owner, their subscriptions, and what they used in November."""
    services.seed(now=SECOND)
    prices = [
        PriceVersion.objects.select_related("plan").get(plan__code=code, currency="USD")
        for code in ("starter", "payg")
    ]
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        with transaction.atomic():
            _fill_chunk(prices, numbers)
    GatewayPlan.objects.update(read_at=SECOND)


def _fill_chunk(prices: list[PriceVersion], numbers: Iterable[int]) -> None:
    mine = [(number, prices[number % 2]) for number in numbers]
    tenants = Tenant.objects.bulk_create(
        Tenant(name=f"Tenant {number}", usage_plan_id=price.plan.usage_plan_id, created_at=SECOND)
        for number, price in mine
    )
    users = User.objects.bulk_create(User(email=f"{number}@example.org") for number, _ in mine)
    Member.objects.bulk_create(
        Member(tenant=tenant, user=user, role=Role.OWNER, created_at=SECOND)
        for tenant, user in zip(tenants, users, strict=True)
    )
    Customer.objects.bulk_create(Customer(tenant=tenant, currency="USD") for tenant in tenants)
    Subscription.objects.bulk_create(
        Subscription(
            tenant=tenant,
            plan=price.plan,
            price=price,
            state=SubscriptionState.ACTIVE,
            created_at=SECOND,
            starts_on=NOVEMBER,
            fee_from=date(2026, 12, 1),
        )
        for tenant, (_, price) in zip(tenants, mine, strict=True)
    )
    mirror = GatewayPlan.objects.get(usage_plan__plans__code="payg", slot="primary")
    UsageDay.objects.bulk_create(
        UsageDay(
            tenant=tenant,
            gateway_plan=mirror,
            meter=Meter.REQUESTS,
            day=NOVEMBER + timedelta(days=offset),
            used=100 + number % 9_000,
            read_at=SECOND,
        )
        for tenant, (number, price) in zip(tenants, mine, strict=True)
        if price.plan.code == "payg"
        for offset in range(DAYS)
    )


def close() -> tuple[float, int]:
    """Close November in two runs; return how long they took, and how many invoices they issued."""
    seconds, invoices = 0.0, 0
    for now in (SECOND, SECOND + timedelta(hours=6)):
        GatewayPlan.objects.update(read_at=now)
        begun = time.perf_counter()
        run = services.close_month(now=now)
        seconds += time.perf_counter() - begun
        invoices += run.invoices
    return seconds, invoices


FINISHED: tuple[type[models.Model], ...] = (
    Invoice, InvoiceLine, Posting, Entry, BilledUsage, UsageReading,
)  # fmt: skip


def write_again() -> tuple[float, int]:
    """Take all rows of the close away, and write them again; return the seconds of writing."""
    rows: list[list[models.Model]] = [list(model._base_manager.all()) for model in FINISHED]
    _take_away()
    begun = time.perf_counter()
    for model, found in zip(FINISHED, rows, strict=True):
        model._base_manager.bulk_create(found, batch_size=CHUNK)
    return time.perf_counter() - begun, sum(map(len, rows))


def _memory_peak_reset() -> int:
    """Begin to note the peak anew; return what is taken now, in bytes. 0 where nobody tells."""
    if not Path("/proc/self/clear_refs").exists():
        return 0
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_peak()


def _memory_peak() -> int:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _note(line: str) -> None:
    """Put the line in the place of the same database's in the document."""
    head, _, rest = DOCUMENT.read_text().partition(_BEGIN)
    table, _, tail = rest.partition(_END)
    kept = [row for row in table.splitlines(keepends=True) if connection.vendor not in row]
    DOCUMENT.write_text(f"{head}{_BEGIN}{''.join(kept)}{line}{_END}{tail}")


if __name__ == "__main__":
    main()

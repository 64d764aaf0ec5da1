"""What the pages of uploads cost a tenant with 100,000 of them, among other tenants.

    python -m bench.uploads [--uploads N]

Fills a database of its own, SQLite or, where DATABASE_URL says so, PostgreSQL, and times what
`/uploads/` reads: the first page, one in the middle, the last, and searches that find nearly all,
some, few and none. Medians; numbers are of this machine, now.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import tests.env  # noqa: F401  (the settings' variables, before anything reads them)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from conversions.models import Conversion, ConversionState, Upload, UploadState  # noqa: E402
from conversions.selectors import Cursor, Page, Search, uploads_page  # noqa: E402
from portal.views.uploads.page import SHOWN  # noqa: E402
from portal.views.uploads.rows import rows  # noqa: E402
from tenants.models import Tenant  # noqa: E402
from tests.cast import assemble, usage_plan_free  # noqa: E402

OTHERS = 20_000  # uploads of the tenant beside it
VARIANTS = 3
BATCH = 5_000
RUNS = 7
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=100_000)
    count = parser.parse_args().uploads
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        cast = assemble(usage_plan=usage_plan_free(now=NOON), now=NOON)
        fill(cast.alice_corp, count)
        fill(cast.charlie_corp, OTHERS)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        print(f"{connection.vendor}: {count:,} uploads of one tenant, {OTHERS:,} of another")
        measure(cast.alice_corp, count)
    finally:
        teardown_databases(databases, verbosity=0)


def fill(tenant: Tenant, count: int) -> None:
    """Write uploads with their variants; one in a hundred failed, one in 10,000 is a lake."""
    for start in range(0, count, BATCH):
        made = Upload.objects.bulk_create(
            Upload(
                tenant=tenant,
                filename=f"{'lake' if number % 10_000 == 77 else 'holiday'}-{number}.jpg",
                state=UploadState.FAILED if number % 100 == 0 else UploadState.DONE,
                bytes=4_000_000,
                created_at=NOON + timedelta(seconds=number),
            )
            for number in range(start, min(start + BATCH, count))
        )
        Conversion.objects.bulk_create(
            Conversion(
                upload=upload,
                preset_code=f"preset-{number}",
                preset_version=1,
                state=ConversionState.DONE,
                bytes=100_000,
            )
            for upload in made
            for number in range(VARIANTS)
        )


def measure(tenant: Tenant, count: int) -> None:
    def before(number: int) -> Cursor:
        """Return where the page before the one with this number ends, the first being 1."""
        second = count - (number - 1) * SHOWN
        return Cursor.of(
            Upload.objects.get(tenant=tenant, created_at=NOON + timedelta(seconds=second))
        )

    middle, last = count // SHOWN // 2, count // SHOWN
    read = partial(uploads_page, tenant=tenant, size=SHOWN)
    cases: dict[str, Callable[[], Page]] = {
        "page 1": read,
        f"page {middle:,}": partial(read, before=before(middle)),
        f"page {last:,}": partial(read, before=before(last)),
        f"page {last - 1:,}, upwards": partial(read, after=before(last)),
        "search: nearly all": partial(read, search=Search(text="HOLIDAY")),
        "search: 1 %": partial(read, search=Search(state=UploadState.FAILED)),
        "search: few": partial(read, search=Search(text="lake")),
        "search: none": partial(read, search=Search(text="nothing")),
    }
    print(f"{'':24}{'found':>7}{'read':>10}{'with tiles':>12}")
    for name, ask in cases.items():
        took, with_tiles = median_ms(ask), median_ms(partial(_tiles, ask))
        print(f"{name:24}{len(ask().uploads):7}{took:7.1f} ms{with_tiles:9.1f} ms")


def _tiles(ask: Callable[[], Page]) -> None:
    rows(ask().uploads)


def median_ms(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()

"""Pages of uploads: nothing twice, nothing missed, a constant number of queries, by the index."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversions.models import AppliesTo, Upload, UploadState
from conversions.selectors import Cursor, Page, Search, uploads_page
from tenants.models import Tenant
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def uploads(tenant: Tenant, count: int, since: datetime = NOON, **values: Any) -> list[Upload]:
    """Write uploads, three in each second, the first of them the oldest."""
    fields = {"filename": "a.jpg", "state": UploadState.DONE, **values}
    return Upload.objects.bulk_create(
        Upload(tenant=tenant, created_at=since + timedelta(seconds=number // 3), **fields)
        for number in range(count)
    )


def downwards(tenant: Tenant, size: int) -> Iterator[Page]:
    page = uploads_page(tenant=tenant, size=size)
    yield page
    while page.older:
        page = uploads_page(tenant=tenant, size=size, before=page.older)
        yield page


@pytest.mark.parametrize("size", [1, 2, 3, 4, 10, 11])
def test_pages_down_and_up_again_show_everything_once_newest_first(cast: Cast, size: int) -> None:
    mine = [upload.pk for upload in uploads(cast.alice_corp, 10)][::-1]
    uploads(cast.charlie_corp, 3)
    Upload.objects.filter(pk__in=mine[4:5]).update(deleted_at=NOON)
    left = mine[:4] + mine[5:]
    expected = [left[at : at + size] for at in range(0, 9, size)]
    pages = list(downwards(cast.alice_corp, size))
    assert [[upload.pk for upload in page.uploads] for page in pages] == expected
    assert pages[0].newer is None
    upwards, page = [pages[-1]], pages[-1]
    while page.newer:
        page = uploads_page(tenant=cast.alice_corp, size=size, after=page.newer)
        upwards.append(page)
    shown = [upload.pk for page in upwards[::-1] for upload in page.uploads]
    assert shown == [pk for page in expected for pk in page]
    assert page.older is None if len(pages) == 1 else page.older is not None


def test_what_is_new_moves_no_page_below_it(cast: Cast) -> None:
    older = [upload.pk for upload in uploads(cast.alice_corp, 6)][:3]
    first = uploads_page(tenant=cast.alice_corp, size=3)
    uploads(cast.alice_corp, 30, since=NOON + timedelta(hours=1))
    second = uploads_page(tenant=cast.alice_corp, size=3, before=first.older)
    assert [upload.pk for upload in second.uploads] == older[::-1]


def test_a_page_that_is_empty_by_now_leads_nowhere(cast: Cast) -> None:
    assert uploads_page(
        tenant=cast.alice_corp, size=3, before=Cursor(NOON, 1)
    ) == Page(uploads=[], newer=None, older=None)  # fmt: skip


def test_a_cursor_survives_the_address_bar(cast: Cast) -> None:
    cursor = Cursor(NOON + timedelta(microseconds=987_654), 12)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "1", "1-2-3", "a-b", "-1", f"{10**30}-1"])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Cursor.parse(text)


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("search", "names"),
    [
        (Search(text="LAKE"), ["lake.JPG"]),
        (Search(text="100%"), ["100%_a.pdf"]),
        (Search(text="_a"), ["100%_a.pdf"]),
        (Search(text="湖"), ["湖.txt"]),
        (Search(state="failed"), ["湖.txt"]),
        (Search(kind="pdf"), ["100%_a.pdf"]),
        (Search(text="lake", kind="pdf"), []),
        (Search(), ["湖.txt", "lake.JPG", "100%_a.pdf"]),
    ],
)
def test_a_search_finds_by_name_state_and_kind(
    cast: Cast, search: Search, names: list[str]
) -> None:
    uploads(cast.alice_corp, 1, filename="100%_a.pdf", file_type=AppliesTo.PDF)
    uploads(cast.alice_corp, 1, filename="lake.JPG")
    uploads(cast.alice_corp, 1, filename="湖.txt", file_type="text", state=UploadState.FAILED)
    uploads(cast.charlie_corp, 1, filename="lake.JPG")
    page = uploads_page(tenant=cast.alice_corp, size=9, search=search)
    assert [upload.filename for upload in page.uploads] == names


def test_queries_are_as_many_for_a_thousand_as_for_ten(cast: Cast) -> None:
    for count in (10, 1000):
        uploads(cast.alice_corp, count)
        with CaptureQueriesContext(connection) as queries:
            page = uploads_page(tenant=cast.alice_corp, size=count)
            assert [len(upload.conversions.all()) for upload in page.uploads] == [0] * count
            assert all(upload.tenant.name for upload in page.uploads)
        assert len(queries) == 2


@pytest.mark.every_case
@pytest.mark.parametrize("search", [Search(), Search(text="lake"), Search(state="failed")])
@pytest.mark.parametrize("way", [{}, {"before": Cursor(NOON, 5)}, {"after": Cursor(NOON, 5)}])
def test_every_page_is_read_along_the_index(
    cast: Cast, search: Search, way: dict[str, Any], explained: Callable[[str], str]
) -> None:
    uploads(cast.alice_corp, 30)
    with CaptureQueriesContext(connection) as queries:
        uploads_page(tenant=cast.alice_corp, size=10, search=search, **way)
    plan = explained(queries.captured_queries[0]["sql"])
    assert "upload_of_tenant" in plan
    assert not any(word in plan.lower() for word in ("temp b-tree", "sort", "seq scan"))

"""Reports come in any order, any number of times, early or late; each variant counts once."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from conversions import services
from conversions.models import Upload, UploadError, UploadState
from tenants.models import ApiKeyVersion, Meter, OutboxEvent, UsageDay, UsageRecord
from tenants.services import webhook_endpoint_create
from tests.cast import Cast
from tests.conversions.reports import (
    NAMES,
    Report,
    apply,
    died,
    failed,
    report,
    started,
    variant,
    waiting,
)

pytestmark = pytest.mark.django_db


def test_the_order_of_reports_does_not_matter(cast: Cast) -> None:
    orders = list(permutations(range(4)))
    for order in orders:
        upload = waiting(cast)
        reports = [started(upload), *(variant(upload, name) for name in NAMES), failed(upload)]
        apply(*(reports[place] for place in order), reports[order[0]])
        upload.refresh_from_db()
        assert (upload.state, upload.error_code) == (UploadState.DONE, ""), order
        assert (upload.width, upload.height, upload.format) == (4, 3, "PNG")
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == len(NAMES) * len(orders)


def test_a_variant_of_another_file_at_the_same_place_counts_again(cast: Cast) -> None:
    upload = waiting(cast)
    for etag in ('"red"', '"blue"', '"red"'):
        apply(variant(upload, NAMES[0], of=etag))
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 2


def test_it_is_done_when_every_expected_variant_is_there(cast: Cast) -> None:
    upload = waiting(cast)
    states = []
    for news in (started(upload), *(variant(upload, name) for name in NAMES)):
        apply(news)
        upload.refresh_from_db()
        states.append(upload.state)
    assert states == [UploadState.PROCESSING, UploadState.PROCESSING, UploadState.DONE]


def test_webhooks_hear_once_that_an_upload_has_finished(cast: Cast) -> None:
    webhook_endpoint_create(
        tenant=cast.alice_corp,
        url="https://hooks.example.com/",
        description="",
        event_types=["upload.finished"],
        actor=cast.alice,
        now=timezone.now(),
    )
    done, bad = waiting(cast), waiting(cast)
    apply(started(done), *(variant(done, name) for name in NAMES), failed(done))
    apply(*(report(bad, "refused", code="damaged") for _comes_twice in range(2)), failed(bad))
    told = OutboxEvent.objects.filter(kind="upload.finished").order_by("id")
    assert [news.payload for news in told] == [
        {"id": str(upload.uuid), "filename": upload.filename, "state": state, "error": error}
        for upload, state, error in ((done, "done", ""), (bad, "failed", "damaged"))
    ]


def test_variants_of_older_presets_do_not_stand_for_newer_ones(cast: Cast) -> None:
    upload = waiting(cast)
    newer = ["thumb-v2.webp", "web-v1.jpg"]
    apply(variant(upload, "thumb-v1.webp"), failed(upload), started(upload, newer))
    apply(variant(upload, "web-v1.jpg"))
    upload.refresh_from_db()
    assert upload.state == UploadState.PROCESSING
    apply(variant(upload, "thumb-v2.webp"))
    upload.refresh_from_db()
    assert upload.state == UploadState.DONE


@pytest.mark.parametrize(
    ("code", "error"),
    [("damaged", UploadError.DAMAGED), ("something new", UploadError.NOT_AN_IMAGE)],
)
def test_a_refusal_says_why(cast: Cast, code: str, error: UploadError) -> None:
    upload = waiting(cast)
    apply(report(upload, "refused", code=code, text="It is bad."))
    upload.refresh_from_db()
    assert (upload.state, upload.error_code) == (UploadState.FAILED, error)


def test_reports_on_what_is_deleted_are_dropped(cast: Cast) -> None:
    upload = waiting(cast)
    services.upload_delete(upload=upload, actor=cast.alice, now=timezone.now())
    apply(variant(upload, NAMES[0]))
    died(upload, *NAMES)
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING
    assert not UsageDay.objects.filter(meter=Meter.CONVERSIONS).exists()


def test_a_report_of_a_kind_that_is_not_known_is_not_swallowed(cast: Cast) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        apply(started(waiting(cast)) | {"kind": "surprise"})


def of_the_api(cast: Cast, **report: Any) -> Report:
    """A report about an upload that no row is about yet."""
    origin = {"origin": "api", "filename": "b.jpg", "created_at": "2026-11-24T10:00:00+00:00"}
    whose = {"tenant": str(cast.alice_corp.uuid), "upload": "5b0e0e2c-9a53-4c3e-9c5b-8f1f6f1d2a11"}
    return {**whose, **origin, **report}


def test_whichever_report_comes_first_makes_the_row_of_an_upload_of_the_apis(cast: Cast) -> None:
    plan = {"plan": 1, "expected": NAMES, "to_make": NAMES}
    begun = of_the_api(cast, kind="started", **plan, width=4, height=3, format="PNG")
    apply(begun, of_the_api(cast, kind="created"), begun)
    upload = Upload.objects.get(tenant=cast.alice_corp)
    assert (upload.filename, upload.state) == ("b.jpg", UploadState.PROCESSING)
    assert upload.created_at.isoformat() == "2026-11-24T10:00:00+00:00"


def test_an_upload_knows_whether_its_file_is_a_table(cast: Cast) -> None:
    upload = waiting(cast)
    for news, is_table in (({"is_table": True}, True), ({}, True), ({"is_table": False}, False)):
        apply(started(upload) | news)
        upload.refresh_from_db()
        assert upload.is_table is is_table


def test_an_upload_knows_which_presets_it_is_for(cast: Cast) -> None:
    apply(of_the_api(cast, kind="created", requested=["thumb", "web"]))
    assert Upload.objects.get().requested == " thumb web "


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a\0b.jpg", "ab.jpg"),
        ("half a character \ud83d.jpg", "half a character .jpg"),
        ("関" * 300, "関" * 255),
        ("\0", "5b0e0e2c-9a53-4c3e-9c5b-8f1f6f1d2a11"),
    ],
)
def test_a_callers_file_name_is_stored_as_far_as_it_can_be(
    cast: Cast, name: str, stored: str
) -> None:
    apply(of_the_api(cast, kind="created", filename=name))
    assert Upload.objects.get(tenant=cast.alice_corp).filename == stored


def test_a_report_that_comes_after_its_upload_was_deleted_does_not_bring_it_back(
    cast: Cast,
) -> None:
    apply(of_the_api(cast, kind="created"))
    services.upload_delete(upload=Upload.objects.get(), actor=cast.alice, now=timezone.now())
    apply(of_the_api(cast, kind="started", plan=1, expected=NAMES, to_make=NAMES))
    assert Upload.objects.get().deleted_at is not None


def test_another_tenants_upload_cannot_be_reported_on(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload) | {"tenant": str(cast.charlie_corp.uuid)})
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING


def test_a_try_of_a_unit_is_counted_once_also_of_what_is_deleted(cast: Cast) -> None:
    upload = waiting(cast)
    whose = {"kind": "compute", "tenant": str(upload.tenant.uuid), "upload": str(upload.uuid)}
    first, second = (
        {**whose, "key": f"message {attempt}", "megabyte_milliseconds": 10_240 * 900_000}
        for attempt in (1, 2)
    )
    apply(first, first)
    upload.delete()
    apply(second, first, {**second, "tenant": str(uuid4()), "key": "nobody's"})
    day = UsageDay.objects.get()
    assert (day.tenant, day.meter) == (cast.alice_corp, Meter.COMPUTE)
    assert day.used == 2 * 10_240 * 900_000  # the longest that the largest function can run


def test_which_tries_were_counted_is_forgotten_once_none_can_come_again(cast: Cast) -> None:
    upload = waiting(cast)
    whose = {"kind": "compute", "tenant": str(upload.tenant.uuid), "upload": str(upload.uuid)}
    counted = timezone.now()
    for kind in (
        {**whose, "key": "message 1", "megabyte_milliseconds": 7},
        variant(upload, NAMES[0]),
    ):
        services.result_apply(body=kind, now=counted)
    in_queue = timedelta(days=14)  # MessageRetentionPeriod
    assert services.compute_prune(now=counted + in_queue + timedelta(days=1)) == 0
    assert services.compute_prune(now=counted + in_queue + timedelta(days=2)) == 1
    assert [record.meter for record in UsageRecord.objects.all()] == [Meter.CONVERSIONS]
    assert UsageDay.objects.get(meter=Meter.COMPUTE).used == 7


def test_views_are_totals_that_may_come_late_and_twice(cast: Cast) -> None:
    upload = waiting(cast)
    whose = {"tenant": str(upload.tenant.uuid), "upload": str(upload.uuid)}
    for total in (3, 7, 7, 5):
        day = {"kind": "views", "preset": "web", "day": "2026-11-24", "views": total}
        apply({**whose, **day})
    assert [row.views for row in upload.views.all()] == [7]
    apply({**whose, "tenant": str(cast.charlie_corp.uuid), **day, "views": 99})
    assert [row.views for row in upload.views.all()] == [7]


def test_more_variants_are_awaited_where_what_was_done_is_converted_again(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), *(variant(upload, name) for name in NAMES))
    more = [*NAMES, "avif-v1.avif"]
    apply(started(upload, more, plan=2, to_make=more[2:]))
    upload.refresh_from_db()
    assert (upload.state, upload.variants_expected) == (UploadState.PROCESSING, 3)
    apply(started(upload))  # late
    upload.refresh_from_db()
    assert (upload.state, upload.variants_expected) == (UploadState.PROCESSING, 3)
    apply(variant(upload, "avif-v1.avif"))
    upload.refresh_from_db()
    assert upload.state == UploadState.DONE


def test_an_execution_that_a_caller_started_fails_only_their_own_upload(cast: Cast) -> None:
    upload = waiting(cast)
    for tenant, gateway_id in ((cast.alice_corp, "alices"), (cast.charlie_corp, "charlies")):
        ApiKeyVersion.objects.filter(api_key__tenant=tenant).update(gateway_id=gateway_id)
    states = []
    for key in ("charlies", "nobodys", "alices"):
        asked = {"caller": {"key": key}, "request": {"upload": str(upload.uuid)}}
        apply({"kind": "failed", "input": asked, "error": "x", "cause": "y"})
        upload.refresh_from_db()
        states.append(upload.state)
    assert states == [UploadState.WAITING, UploadState.WAITING, UploadState.FAILED]

"""Reports come in any order, any number of times, early or late; each variant counts once."""

from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from conversions import services
from conversions.models import Upload, UploadError, UploadState
from tenants.models import Meter, UsageDay
from tests.cast import Cast

pytestmark = pytest.mark.django_db

Report = dict[str, Any]
NAMES = ["thumb-v1.webp", "web-v1.jpg"]


def waiting(cast: Cast) -> Upload:
    now = timezone.now()
    return Upload.objects.create(
        tenant=cast.alice_corp, filename="a.jpg", declared_size=9, created_at=now, checked_at=now
    )


def started(upload: Upload, expected: list[str] | None = None) -> Report:
    about = {"bytes": 9, "width": 4, "height": 3, "format": "PNG"}
    names = NAMES if expected is None else expected
    return {"kind": "started", "upload": str(upload.uuid), "expected": names, **about}


def variant(upload: Upload, name: str, expected: list[str] | None = None) -> Report:
    code, version = name.split(".", maxsplit=1)[0].split("-v")
    made = {"variant_bytes": 5, "variant_width": 2, "variant_height": 1}
    key = f"variants/{upload.tenant.uuid}/{upload.uuid}/{name}"
    about = started(upload, expected) | {"kind": "variant", "variant_key": key}
    return about | {"preset": code, "version": int(version), **made}


def failed(upload: Upload) -> Report:
    return {"kind": "failed", "key": f"uploads/t/{upload.uuid}/source", "error": "x", "cause": "y"}


def apply(*reports: Report) -> None:
    for report in reports:
        services.result_apply(body=report, now=timezone.now())


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


def test_it_is_done_when_every_expected_variant_is_there(cast: Cast) -> None:
    upload = waiting(cast)
    states = []
    for report in (started(upload), *(variant(upload, name) for name in NAMES)):
        apply(report)
        upload.refresh_from_db()
        states.append(upload.state)
    assert states == [UploadState.PROCESSING, UploadState.PROCESSING, UploadState.DONE]


def test_variants_of_older_presets_do_not_stand_for_newer_ones(cast: Cast) -> None:
    upload = waiting(cast)
    newer = ["thumb-v2.webp", "web-v1.jpg"]
    apply(variant(upload, "thumb-v1.webp"), failed(upload), started(upload, newer))
    apply(variant(upload, "web-v1.jpg", newer))
    upload.refresh_from_db()
    assert upload.state == UploadState.FAILED
    apply(variant(upload, "thumb-v2.webp", newer))
    upload.refresh_from_db()
    assert upload.state == UploadState.DONE


@pytest.mark.parametrize(
    ("code", "error"),
    [("damaged", UploadError.DAMAGED), ("something new", UploadError.NOT_AN_IMAGE)],
)
def test_a_refusal_says_why(cast: Cast, code: str, error: UploadError) -> None:
    upload = waiting(cast)
    apply(started(upload) | {"kind": "refused", "code": code, "text": "It is bad."})
    upload.refresh_from_db()
    assert (upload.state, upload.error_code) == (UploadState.FAILED, error)


def test_reports_on_what_is_deleted_are_dropped(cast: Cast) -> None:
    upload = waiting(cast)
    services.upload_delete(upload=upload, actor=cast.alice, now=timezone.now())
    apply(variant(upload, NAMES[0]))
    services.work_died(body={"source": {"upload": str(upload.uuid)}}, now=timezone.now())
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING
    assert not UsageDay.objects.filter(meter=Meter.CONVERSIONS).exists()


def test_a_report_of_a_kind_that_is_not_known_is_not_swallowed(cast: Cast) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        apply(started(waiting(cast)) | {"kind": "surprise"})

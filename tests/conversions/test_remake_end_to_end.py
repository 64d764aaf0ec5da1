"""A changed preset's variants of old uploads, by the functions behind the local AWS."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from conversions import backend, services
from conversions.backend.work import jobs_send, work_waiting
from conversions.models import Conversion, ConversionState, Preset, Remake, RemakeState, Upload
from conversions.selectors.remakes import remake_progress
from conversions.services import remakes
from conversions.services.remakes import Step
from tenants.models import Meter, Tenant, UsageDay
from tests.cast import Cast
from tests.conversions.conftest import PATIENCE, finish
from tests.conversions.watermarks import png

pytestmark = pytest.mark.django_db(transaction=True)


def used(tenant: Tenant) -> int:
    """Return how many conversions were counted."""
    return sum(
        UsageDay.objects.filter(tenant=tenant, meter=Meter.CONVERSIONS).values_list(
            "used", flat=True
        )
    )


def written(uploads: list[Upload], version: int) -> dict[str, object]:
    """Return when the preset's variants were written, by their S3 keys."""
    keys = Conversion.objects.filter(
        upload__in=uploads, preset_code="web", preset_version=version, state=ConversionState.DONE
    ).values_list("key", flat=True)
    bucket = backend.outputs()["FilesBucket"]
    s3 = backend.client("s3")
    return {key: s3.head_object(Bucket=bucket, Key=key)["LastModified"] for key in keys}


def apply_all(*, until: Callable[[list[str]], bool]) -> bool:
    """Apply reports, each of them twice, until enough kinds of them were seen; say whether."""
    seen: list[str] = []
    for _ in range(PATIENCE):
        if until(seen):
            return True
        for result in backend.results_receive(wait_seconds=1):
            services.result_apply(body=result.body, now=timezone.now())
            services.result_apply(body=result.body, now=timezone.now())
            backend.result_delete(result=result)
            seen.append(result.body["kind"])
    return until(seen)


def run(preset: Preset, cast: Cast) -> Remake:
    """Run through all uploads, and wait until everything that was asked for is there."""
    remake = services.remake_start(preset=preset, actor=cast.alice, now=timezone.now())
    while services.remake_advance(remake_id=remake.pk, now=timezone.now()) is not Step.OVER:
        continue
    remake.refresh_from_db()
    assert apply_all(until=lambda _seen: not remake_progress(remake=remake).is_moving)
    return remake


def test_old_uploads_get_the_new_variant_once(
    tenant: Tenant,
    cast: Cast,
    post: Callable[[bytes], Upload],
    photo: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remakes, "BATCH", 2)
    uploads = [finish(post(photo)) for _ in range(3)]
    before, counted = written(uploads, 1), used(tenant)
    assert len(before) == 3

    preset = Preset.objects.get(code="web")
    preset.width, preset.watermark = 320, png()
    preset = services.preset_save(preset=preset, now=timezone.now())
    remake = run(preset, cast)
    assert (remake.state, remake.asked_for) == (RemakeState.DONE, 3)
    made = Conversion.objects.filter(preset_code="web", preset_version=2)
    assert [(row.state, row.width) for row in made] == [(ConversionState.DONE, 320)] * 3
    assert used(tenant) == counted + 3
    assert written(uploads, 1) == before

    after = written(uploads, 2)
    again = run(preset, cast)
    assert (again.looked_at, again.asked_for) == (3, 0)
    # Work that was asked for twice, as by a step that died, makes and counts nothing twice.
    whose = {str(tenant.uuid): [str(upload.uuid) for upload in uploads]}
    jobs_send(uploads=whose, preset=preset.recipe().to_mapping())
    assert apply_all(until=lambda seen: seen.count("variant") >= len(uploads))
    assert work_waiting() == 0
    assert written(uploads, 2) == after
    assert used(tenant) == counted + 3

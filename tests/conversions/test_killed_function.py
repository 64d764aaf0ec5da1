"""A function that dies in mid-work: the message returns, and each variant is made once."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from PIL import Image

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import ConversionState, Format, Preset, Upload, UploadState
from tenants.models import Meter, UsageDay
from tests.cast import Cast
from tests.conversions.conftest import finish, settings_of, written
from tests.conversions.functions import workers_kill
from tests.local.aws.program import Program, running

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc"),
]


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Program]:
    """A local AWS of its own: what is killed here is nobody else's."""
    with running(tmp_path) as aws, settings_of(aws):
        deploy()
        yield aws


def test_a_killed_unit_comes_again_beside_others_that_are_done_and_counts_once(
    aws: Program, cast: Cast
) -> None:
    now = timezone.now()
    services.presets_seed(now=now)
    huge = Preset(code="huge", name="Huge", width=4096, format=Format.AVIF)
    services.preset_save(preset=huge, now=now)  # so large that it is a unit of its own
    services.tenant_publish(tenant=cast.alice_corp, now=now)
    _work_returns_after(seconds=15)
    upload, form = services.upload_create(
        tenant=cast.alice_corp, filename="a.jpg", size=1, content_type="image/jpeg",
        actor=cast.alice, now=now,
    )  # fmt: skip
    httpx.post(form.url, data=form.fields, files={"file": _large()}).raise_for_status()
    finish(upload, until=lambda it: _there(it) == {"avif", "thumb", "web"})
    assert workers_kill(aws, function="convert"), "no function was at work"
    _work_returns_after(seconds=600)  # the next try takes as long as it takes
    before = written(upload)
    assert upload.state == UploadState.PROCESSING

    finish(upload)
    assert upload.state == UploadState.DONE
    assert _there(upload) == {"avif", "thumb", "web", "huge"}
    assert written(upload).items() > before.items()
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == upload.conversions.count() == 4


def _work_returns_after(*, seconds: int) -> None:
    """On AWS a message returns after six times the function's time-out; nobody waits for that."""
    backend.client("sqs").set_queue_attributes(
        QueueUrl=backend.outputs()["WorkQueue"], Attributes={"VisibilityTimeout": str(seconds)}
    )


def _large() -> bytes:
    """A picture that takes a while."""
    out = io.BytesIO()
    Image.effect_noise((4200, 3500), 30).convert("RGB").save(out, "JPEG", quality=60)
    return out.getvalue()


def _there(upload: Upload) -> set[str]:
    """Return the presets whose variants are there."""
    made = upload.conversions.filter(state=ConversionState.DONE)
    return set(made.values_list("preset_code", flat=True))

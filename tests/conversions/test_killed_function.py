"""A function that dies in mid-work: the message returns, and each variant is made once."""

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from PIL import Image

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import Conversion, UploadState
from tenants.models import Meter, UsageDay
from tests.cast import Cast
from tests.conversions.conftest import finish, settings_of
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


def test_a_killed_conversion_comes_again_and_counts_once(aws: Program, cast: Cast) -> None:
    now = timezone.now()
    services.presets_seed(now=now)
    services.tenant_publish(tenant=cast.alice_corp, now=now)
    _return_messages_soon()
    upload, form = services.upload_create(
        tenant=cast.alice_corp, filename="a.jpg", size=1, content_type="image/jpeg",
        actor=cast.alice, now=now,
    )  # fmt: skip
    httpx.post(form.url, data=form.fields, files={"file": _large()}).raise_for_status()
    starts = 0
    while starts == 0:
        starts += _starts()
    killed = _kill_workers(aws, function="convert")
    assert killed, "no function was at work"
    upload.refresh_from_db()
    assert upload.state == UploadState.PROCESSING

    finish(upload)
    assert upload.state == UploadState.DONE
    assert [c.preset_code for c in Conversion.objects.order_by("preset_code")] == [
        "avif", "thumb", "web",
    ]  # fmt: skip
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 3


def _return_messages_soon() -> None:
    """On AWS a message returns after six times the function's time-out; nobody waits for that."""
    sqs = backend.client("sqs")
    queue = backend.outputs()["WorkQueue"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})


def _large() -> bytes:
    """A picture that takes a while."""
    out = io.BytesIO()
    Image.effect_noise((6000, 5000), 60).convert("RGB").save(out, "JPEG", quality=60)
    return out.getvalue()


def _starts() -> int:
    """Apply what is reported; return how many conversions began."""
    found = 0
    for result in backend.results_receive(wait_seconds=1):
        found += result.body["kind"] == "started"
        services.result_apply(body=result.body, now=timezone.now())
        backend.result_delete(result=result)
    return found


def _kill_workers(aws: Program, *, function: str) -> int:
    """Kill the processes in which a function runs; return how many there were."""
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            environment = entry.joinpath("environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        name = f"AWS_LAMBDA_FUNCTION_NAME=sekisho-{function}".encode()
        if parent == aws.process.pid and name in environment:
            os.kill(int(entry.name), signal.SIGKILL)
            killed += 1
    return killed

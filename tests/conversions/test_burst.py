"""Many uploads at once, while what works on them is killed: every variant is made, and counts once.

A Celery worker, a program of its own, takes what is reported; it is killed twice in mid-work, and
so are the processes in which variants are made. Messages return within seconds here; on AWS that
is after a minute, or half an hour. BURST_UPLOADS=500 asks for more of them.
"""

import colorsys
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from PIL import Image

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import Conversion, ConversionState, Upload, UploadState
from portal.celery import app as celery_app
from tenants.models import Meter, UsageDay
from tests.cast import Cast
from tests.conversions.conftest import settings_of
from tests.conversions.functions import workers_kill
from tests.local.aws.program import Program, running
from tests.services import worker_environment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc"),
]

UPLOADS = int(os.environ.get("BURST_UPLOADS", "120"))
VARIANTS = 3 * UPLOADS
BROWSERS = 8
PATIENCE_SECONDS = 600
RETURNED_SOON = {"WorkQueue": 15, "ResultsQueue": 5}  # seconds after which messages return


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Program]:
    """A local AWS of its own: what is killed here is nobody else's."""
    with running(tmp_path) as aws, settings_of(aws):
        deploy()
        for queue, seconds in RETURNED_SOON.items():
            backend.client("sqs").set_queue_attributes(
                QueueUrl=backend.outputs()[queue], Attributes={"VisibilityTimeout": str(seconds)}
            )
        yield aws


@contextmanager
def worker() -> Iterator[Callable[[], None]]:
    """Run a Celery worker as `make run` does; yields what kills it, and starts another."""
    command = [sys.executable, "-m", "celery", "--app", "portal.celery", "worker"]
    options = ["--queues", "default", "--concurrency", "2", "--loglevel", "WARNING"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, *options], env=worker_environment(), start_new_session=True
        )

    running = start()

    def kill() -> None:
        nonlocal running
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        running = start()

    try:
        yield kill
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def until(made: int) -> None:
    """Have the worker take reports, as beat does, until so many variants are known."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    done = Conversion.objects.filter(state=ConversionState.DONE)
    while done.count() < made or (made == VARIANTS and not all_done()):
        assert time.monotonic() < deadline, f"{done.count()} of {made} variants"
        celery_app.send_task("conversions.tasks.results_poll", queue="default", expires=1)
        time.sleep(0.5)  # between two polls; what is waited for is the condition above


def all_done() -> bool:
    return not Upload.objects.exclude(state=UploadState.DONE).exists()


def picture(number: int) -> bytes:
    """A small picture like no other."""
    out = io.BytesIO()
    red, green, blue = colorsys.hsv_to_rgb(number / UPLOADS, 0.7, 0.9)
    Image.new("RGB", (60, 40), (int(red * 255), int(green * 255), int(blue * 255))).save(
        out, "JPEG", comment=f"{number}".encode()
    )
    return out.getvalue()


def test_every_variant_of_a_burst_is_made_and_none_twice(aws: Program, cast: Cast) -> None:
    now = timezone.now()
    services.presets_seed(now=now)
    services.tenant_publish(tenant=cast.alice_corp, now=now)
    forms = [
        services.upload_create(
            tenant=cast.alice_corp, filename=f"{number}.jpg", size=9, content_type="image/jpeg",
            actor=cast.alice, now=now,
        )[1]
        for number in range(UPLOADS)
    ]  # fmt: skip

    def post(number: int) -> None:
        files = {"file": picture(number)}
        s3.post(forms[number].url, data=forms[number].fields, files=files).raise_for_status()

    with (
        worker() as worker_kill,
        httpx.Client(timeout=60) as s3,
        ThreadPoolExecutor(BROWSERS) as browsers,
    ):
        posted = browsers.map(post, range(UPLOADS))
        until(VARIANTS // 4)
        worker_kill()
        assert workers_kill(aws, function="convert")
        until(VARIANTS // 2)
        worker_kill()
        assert len(list(posted)) == UPLOADS
        until(VARIANTS)

    made = Conversion.objects.filter(state=ConversionState.DONE)
    assert made.count() == Conversion.objects.count() == VARIANTS
    listed = (
        backend.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=backend.outputs()["FilesBucket"], Prefix="variants/")
    )
    keys = [item["Key"] for page in listed for item in page["Contents"]]
    assert sorted(keys) == sorted(made.values_list("key", flat=True))
    days = UsageDay.objects.filter(meter=Meter.CONVERSIONS)
    assert sum(day.used for day in days) == VARIANTS

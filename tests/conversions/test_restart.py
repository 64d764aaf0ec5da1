"""The local AWS is killed and started again: files are kept, and the rest is made anew."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from conversions import backend, services
from conversions.backend import stack
from conversions.models import EdgeItem, UploadState
from conversions.services.uploads import LOOK_AFTER
from tests.cast import Cast
from tests.conversions.conftest import finish, settings_of
from tests.local.aws.program import Program, running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Program]:
    with running(tmp_path) as aws, settings_of(aws):
        yield aws


def test_an_upload_survives_the_loss_of_stack_table_and_queues(
    aws: Program, tmp_path: Path, cast: Cast, photo: bytes
) -> None:
    assert stack.deploy().was_changed
    now = timezone.now()
    services.presets_seed(now=now)
    services.edge_sweep(now=now)
    upload, form = services.upload_create(
        tenant=cast.alice_corp, filename="a.jpg", size=len(photo), content_type="image/jpeg",
        actor=cast.alice, now=now,
    )  # fmt: skip
    httpx.post(form.url, data=form.fields, files={"file": photo}).raise_for_status()
    aws.kill()
    with running(tmp_path) as again, settings_of(again):
        assert backend.client("s3").list_buckets()["Buckets"]
        assert stack.deploy().was_changed
        assert services.edge_verify() == EdgeItem.objects.count() == 2
        services.edge_sweep(now=now)
        services.uploads_sweep(now=now + LOOK_AFTER + timedelta(seconds=1))
        assert finish(upload).state == UploadState.DONE


def test_an_address_where_nothing_is_says_so_and_may_be_tried_again(aws: Program) -> None:
    aws.kill()
    with pytest.raises(backend.BackendUnavailable) as failure:
        backend.outputs()
    assert failure.value.retryable

"""What becomes of an upload when an event, a report, a function or a person lets it down."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from conversions import backend, services, tasks
from conversions.backend.work import jobs_send
from conversions.imaging import Format, Recipe, Watermark
from conversions.models import (
    Conversion,
    ConversionError,
    EdgeItem,
    Upload,
    UploadError,
    UploadState,
)
from conversions.serverless.functions import convert
from conversions.services.uploads import (
    ABANDONED_AFTER,
    FORGET_AFTER,
    LOOK_AFTER,
    STUCK_AFTER,
)
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, Meter, Tenant, UsageDay
from tests.cast import Cast
from tests.conversions.callers.conftest import until
from tests.conversions.conftest import Post, finish, written
from tests.conversions.reports import NAMES, rows, started, variant, waiting
from tests.conversions.storage import put

pytestmark = pytest.mark.django_db(transaction=True)
A_SECOND = timedelta(seconds=1)


def retry(upload: Upload, cast: Cast) -> Upload:
    services.upload_retry(upload=upload, actor=cast.alice, now=timezone.now())
    services.uploads_sweep(now=timezone.now())
    return finish(upload)


@contextmanager
def s3_tells_nobody() -> Iterator[None]:
    bucket, s3 = backend.outputs()["FilesBucket"], backend.client("s3")
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    yield
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)


@contextmanager
def failed_work_returns_at_once() -> Iterator[None]:
    """Have the work queue give a message back after a second instead of half an hour."""
    sqs = backend.client("sqs")
    queue = backend.outputs()["WorkQueue"]
    kept = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    yield
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=kept["Attributes"])


@contextmanager
def nobody_converts() -> Iterator[None]:
    """Have the work lie in its queue."""
    functions = backend.client("lambda")
    found = functions.list_event_source_mappings(FunctionName="sekisho-convert")
    (mapping,) = found["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_variants_that_fail_thrice_are_told_and_another_try_makes_only_those(
    alice: httpx.Client, tenant: Tenant, post: Post, photo: bytes, cast: Cast
) -> None:
    upload = finish(post(photo))
    before = written(upload)
    marked = Recipe("marked", 1, Format.PNG, width=100, watermark=Watermark(key="missing"))
    with failed_work_returns_at_once():
        jobs_send(uploads={str(tenant.uuid): [str(upload.uuid)]}, preset=marked.to_mapping())
        finish(upload, until=lambda it: it.state == UploadState.FAILED)
    assert upload.error_code == UploadError.GAVE_UP
    assert upload.conversions.get(preset_code="marked").error_code == ConversionError.STORAGE
    answer = alice.get(f"/v1/uploads/{upload.uuid}").json()
    assert (answer["state"], answer["error"]["code"]) == ("failed", "gave_up")
    assert [(it["preset"], it["code"]) for it in answer["failed"]] == [("marked", "storage")]
    assert [it["preset"] for it in answer["variants"]] == ["avif", "thumb", "web"]

    put("watermarks/missing.png", photo)
    item = EdgeItem.objects.get(key=f"tenant#{tenant.uuid}")
    assert item.body is not None
    presets = [*item.body["presets"], marked.to_mapping()]
    backend.edge_put(key=item.key, body=item.body | {"presets": presets}, revision=item.revision)
    assert retry(upload, cast).state == UploadState.DONE
    assert written(upload).items() > before.items()
    answer = alice.get(f"/v1/uploads/{upload.uuid}").json()
    assert (answer["state"], answer["failed"], len(answer["variants"])) == ("done", [], 4)


def test_work_that_dies_without_a_word_is_told_and_can_be_tried_again(
    alice: httpx.Client, tenant: Tenant, post: Post, photo: bytes, cast: Cast
) -> None:
    sqs = backend.client("sqs")
    queue = backend.outputs()["WorkQueue"]
    with nobody_converts():
        upload = post(photo)
        for _try in range(convert.TRIES):
            answer: dict[str, Any] = {}
            while "Messages" not in answer:
                answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, VisibilityTimeout=0)
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    finish(upload)
    assert upload.error_code == UploadError.GAVE_UP
    assert {row.error_code for row in upload.conversions.all()} == {ConversionError.STOPPED}
    answer = alice.get(f"/v1/uploads/{upload.uuid}").json()
    assert [it["code"] for it in answer["failed"]] == ["stopped"] * 3
    assert (answer["state"], answer["variants"]) == ("failed", [])
    assert retry(upload, cast).state == UploadState.DONE


def test_work_of_an_older_deployment_fails_its_upload(
    alice: httpx.Client, tenant: Tenant, cast: Cast
) -> None:
    upload = waiting(cast)
    whose = {"tenant": str(tenant.uuid), "upload": str(upload.uuid)}
    work = {"source": whose | {"bucket": "files", "key": upload.source_key}, "presets": "[]"}
    with failed_work_returns_at_once():
        backend.client("sqs").send_message(
            QueueUrl=backend.outputs()["WorkQueue"], MessageBody=json.dumps(work)
        )
        finish(upload)
    assert (upload.error_code, upload.may_retry) == (UploadError.NOT_PROCESSED, True)
    assert alice.get(f"/v1/uploads/{upload.uuid}").json()["error"]["code"] == "not_processed"


def test_a_job_that_dies_is_told_to_whoever_asks_and_never_takes_back_what_was_done(
    alice: httpx.Client, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    key_id = ApiKeyVersion.objects.get(api_key__tenant=tenant).gateway_id
    dead, job = backend.outputs()["DeadJobsQueue"], str(uuid.uuid4())
    done = alice.post("/v1/jobs", json={"uploads": [str(uuid.uuid4())]}).json()["id"]
    until(lambda: alice.get(f"/v1/jobs/{done}"), lambda it: it["state"] == "refused")
    for key, request in ((key_id, job), (key_id, done), ("nobodys", job)):
        attributes = {"key": key, "request": request}
        backend.client("sqs").send_message(
            QueueUrl=dead,
            MessageBody="{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )
    tasks.results_poll()
    assert caplog.text.count("job.died") == 3
    states = [alice.get(f"/v1/jobs/{each}").json()["state"] for each in (job, done)]
    assert states == ["failed", "refused"]
    assert services.dead_jobs_poll(now=timezone.now()) == 0


def test_presets_that_are_not_published_yet_are_told_and_counted_once_in_the_end(
    tenant: Tenant, post: Post, photo: bytes, cast: Cast
) -> None:
    backend.edge_delete(key=f"tenant#{tenant.uuid}")
    upload = finish(post(photo))
    assert upload.error_code == UploadError.NOT_PROCESSED
    services.edge_verify()
    services.edge_sweep(now=timezone.now())
    for _ in range(2):
        assert retry(upload, cast).state == UploadState.DONE
        Upload.objects.update(state=UploadState.FAILED, error_code=UploadError.GAVE_UP)
    assert Conversion.objects.count() == UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 3


def test_a_file_that_comes_before_its_tenants_presets_waits_for_them(
    tenant: Tenant, post: Post, photo: bytes
) -> None:
    item = EdgeItem.objects.get(key=f"tenant#{tenant.uuid}")
    assert item.body is not None
    backend.edge_delete(key=item.key)
    upload = post(photo)
    while not in_vain(upload):
        pass
    backend.edge_put(key=item.key, body=item.body, revision=item.revision)
    assert finish(upload).state == UploadState.DONE


def in_vain(upload: Upload) -> bool:
    """Say whether the execution that works on an upload has had a step fail."""
    machine, steps = backend.outputs()["StateMachine"], backend.client("stepfunctions")
    for execution in steps.list_executions(stateMachineArn=machine)["executions"]:
        history = steps.get_execution_history(executionArn=execution["executionArn"])["events"]
        if str(upload.uuid) in history[0]["executionStartedEventDetails"]["input"]:
            return any(event["type"].endswith("Failed") for event in history)
    return False


def test_a_file_whose_event_was_lost_is_found(post: Post, photo: bytes) -> None:
    with s3_tells_nobody():
        upload = post(photo)
    now = timezone.now()
    services.uploads_sweep(now=now)
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING  # too early to worry
    services.uploads_sweep(now=now + LOOK_AFTER + A_SECOND)
    assert finish(upload).state == UploadState.DONE


def test_forms_without_files_do_not_hold_up_what_is_tried_again(
    post: Post, photo: bytes, cast: Cast
) -> None:
    now = timezone.now()
    long_ago = now - 2 * LOOK_AFTER
    empty = [waiting(cast) for _ in range(3)]
    Upload.objects.update(checked_at=long_ago)
    with s3_tells_nobody():
        upload = post(photo)
    Upload.objects.filter(pk=upload.pk).update(checked_at=None)
    services.uploads_sweep(now=now, limit=1)
    assert finish(upload).state == UploadState.DONE
    for _each in empty:
        services.uploads_sweep(now=now, limit=1)
    assert not Upload.objects.filter(checked_at=long_ago).exists()


def test_a_file_that_never_comes_is_waited_for_as_long_as_its_form_is_good(
    tenant: Tenant, cast: Cast
) -> None:
    now = timezone.now()
    upload, _form = services.upload_create(
        tenant=tenant, filename="a.jpg", size=9, content_type="", actor=cast.alice, now=now
    )
    services.uploads_sweep(now=now + ABANDONED_AFTER - A_SECOND)
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING
    services.uploads_sweep(now=now + ABANDONED_AFTER + LOOK_AFTER)
    upload.refresh_from_db()
    assert (upload.state, upload.error_code) == (UploadState.FAILED, UploadError.NEVER_ARRIVED)
    with pytest.raises(Refused, match="cannot be tried again"):
        services.upload_retry(upload=upload, actor=cast.alice, now=now)


def test_functions_that_fall_silent_are_not_waited_for_for_ever(
    alice: httpx.Client, cast: Cast
) -> None:
    upload, now = waiting(cast), timezone.now()
    services.result_apply(body=started(upload), now=now)
    services.result_apply(body=variant(upload, NAMES[1]), now=now)
    services.uploads_sweep(now=now + STUCK_AFTER)
    upload.refresh_from_db()
    assert upload.state == UploadState.PROCESSING
    services.uploads_sweep(now=now + STUCK_AFTER + A_SECOND)
    upload.refresh_from_db()
    assert upload.error_code == UploadError.GAVE_UP
    assert rows(upload) == {"thumb-v1": ("failed", "stopped"), "web-v1": ("done", "")}
    answer = alice.get(f"/v1/uploads/{upload.uuid}").json()
    assert (answer["state"], answer["error"]["code"]) == ("failed", "gave_up")


def test_a_file_that_comes_after_its_deletion_does_not_stay(
    tenant: Tenant, cast: Cast, photo: bytes
) -> None:
    now = timezone.now()
    upload, form = services.upload_create(
        tenant=tenant, filename="a.jpg", size=9, content_type="image/jpeg", actor=cast.alice,
        now=now,
    )  # fmt: skip
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    services.uploads_sweep(now=now)
    httpx.post(form.url, data=form.fields, files={"file": photo}).raise_for_status()
    purged_at = now + ABANDONED_AFTER + STUCK_AFTER + A_SECOND
    services.uploads_sweep(now=purged_at)
    assert httpx.get(backend.link(key=upload.source_key)).status_code == 404
    services.uploads_sweep(now=purged_at + FORGET_AFTER + A_SECOND)
    assert not Upload.objects.exists()


def test_a_message_that_nobody_understands_holds_up_no_other(
    tenant: Tenant, post: Post, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sqs, queue = backend.client("sqs"), backend.outputs()["ResultsQueue"]
    for text in ("no json", "[]", '{"kind": "variant"}', '{"kind": "failed", "key": "a/b/c"}'):
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    upload = post(photo)
    while not upload.is_finished:
        services.results_poll(now=timezone.now())
        upload.refresh_from_db()
    assert upload.state == UploadState.DONE
    assert caplog.text.count("result.not_understood") == 4
    sqs.purge_queue(QueueUrl=queue)


def test_what_the_database_refuses_goes_and_holds_up_no_other(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    now = timezone.now()
    upload = Upload.objects.create(
        tenant=tenant, filename="a.jpg", declared_size=9, created_at=now, checked_at=now
    )
    whose = {"kind": "views", "tenant": str(tenant.uuid), "upload": str(upload.uuid)}
    views = {**whose, "preset": "web", "day": "2026-11-24"}
    sqs, queue = backend.client("sqs"), backend.outputs()["ResultsQueue"]
    for count in (-1, 10**30, 7):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({**views, "views": count}))
    while not upload.views.exists():
        services.results_poll(now=now)
    assert [day.views for day in upload.views.all()] == [7]
    assert caplog.text.count("result.not_storable") == 2
    waits = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=waits)["Attributes"]
    assert left == dict.fromkeys(waits, "0")


@pytest.mark.parametrize(
    "task", [tasks.results_poll, tasks.edge_sweep, tasks.uploads_sweep, tasks.live_poll]
)
def test_a_task_that_cannot_reach_aws_leaves_it_to_the_next_run(
    cast: Cast, storage_away: None, caplog: pytest.LogCaptureFixture, task: Callable[[], None]
) -> None:
    now = timezone.now() - LOOK_AFTER * 2
    upload = Upload.objects.create(
        tenant=cast.alice_corp, filename="a.jpg", declared_size=9, created_at=now, checked_at=now
    )
    task()
    assert "backend.unreachable" in caplog.text
    upload.refresh_from_db()
    assert (upload.state, upload.checked_at) == (UploadState.WAITING, now)
    assert not EdgeItem.objects.filter(published_revision__gt=0).exists()

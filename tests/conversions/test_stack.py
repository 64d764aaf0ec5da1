"""The serverless stack at the local AWS, whole: from a posted file to variants and usage."""

import io
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone
from PIL import Image

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import Conversion, EdgeItem, Preset, Upload, UploadError, UploadState
from conversions.services.uploads import PURGE_AFTER, UNDO_FOR
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, AuditEntry, Meter, Tenant, UsageDay
from tenants.services import api_key_revoke, api_key_value_reveal, reconcile
from tests.cast import Cast
from tests.conversions.conftest import Post, finish

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_picture_becomes_three_variants_each_counted_once(post: Post, photo: bytes) -> None:
    upload = finish(post(photo))
    assert upload.state == UploadState.DONE, upload.error_code
    assert (upload.format, upload.width, upload.height) == ("JPEG", 1600, 1200)
    assert upload.bytes == len(photo)
    sizes = {c.preset_code: (c.width, c.height) for c in Conversion.objects.all()}
    assert sizes == {"thumb": (200, 200), "web": (1280, 960), "avif": (640, 480)}
    for conversion in Conversion.objects.all():
        answer = httpx.get(backend.link(key=conversion.key))
        assert answer.status_code == 200
        assert len(answer.content) == conversion.bytes
        assert Image.open(io.BytesIO(answer.content)).size == sizes[conversion.preset_code]
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 3


def test_what_is_no_picture_is_refused_with_a_reason(post: Post) -> None:
    upload = finish(post(b"GIF? no.\0"))
    assert upload.state == UploadState.FAILED
    assert upload.error_code == UploadError.NOT_SUPPORTED
    assert not upload.may_retry
    assert not Conversion.objects.exists()


def test_damage_behind_the_header_is_refused_when_it_is_found(post: Post, photo: bytes) -> None:
    upload = finish(post(photo[: len(photo) // 2]))
    assert upload.state == UploadState.FAILED
    assert upload.error_code == UploadError.DAMAGED
    assert (upload.width, upload.height) == (1600, 1200)


@pytest.mark.parametrize("size", [0, 20_000_001])
def test_storage_refuses_sizes_that_the_form_does_not_allow(tenant: Tenant, size: int) -> None:
    form = backend.upload_form(key="uploads/a/b/source", content_type="image/jpeg")
    answer = httpx.post(form.url, data=form.fields, files={"file": bytes(size)})
    assert answer.status_code == 400
    assert "<Code>EntityToo" in answer.text


def test_a_preset_is_a_row(post: Post, photo: bytes) -> None:
    preset = Preset(code="tiny", name="Tiny", width=32, format="png")
    services.preset_save(preset=preset, now=timezone.now())
    services.edge_sweep(now=timezone.now())
    upload = finish(post(photo))
    assert upload.variants_expected == 4
    assert Conversion.objects.get(preset_code="tiny").width == 32


def test_without_a_preset_there_is_nothing_to_wait_for(post: Post, photo: bytes) -> None:
    Preset.objects.update(is_active=False)
    services.edge_sweep(now=timezone.now())
    upload = finish(post(photo))
    assert (upload.state, upload.variants_expected) == (UploadState.DONE, 0)


def test_deleting_takes_the_objects_too(post: Post, photo: bytes, cast: Cast) -> None:
    upload = finish(post(photo))
    links = [backend.link(key=key) for key in (upload.source_key, upload.conversions.all()[0].key)]
    assert [httpx.get(link).status_code for link in links] == [200, 200]
    now = timezone.now()
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    services.uploads_sweep(now=now + PURGE_AFTER - timedelta(seconds=1))
    assert [httpx.get(link).status_code for link in links] == [200, 200]
    services.uploads_sweep(now=now + PURGE_AFTER)
    assert [httpx.get(link).status_code for link in links] == [404, 404]
    services.uploads_sweep(now=now + timedelta(days=14))
    assert Upload.objects.exists()  # a late report must not make it anew
    services.uploads_sweep(now=now + timedelta(days=16))
    assert not Upload.objects.exists()


def test_what_was_deleted_a_moment_ago_comes_back(post: Post, photo: bytes, cast: Cast) -> None:
    upload, now = finish(post(photo)), timezone.now()
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    services.upload_restore(upload=upload, actor=cast.alice, now=now + timedelta(seconds=59))
    services.upload_restore(upload=upload, actor=cast.alice, now=now + timedelta(days=1))  # it is
    services.uploads_sweep(now=now + PURGE_AFTER)
    assert httpx.get(backend.link(key=upload.source_key)).status_code == 200
    upload.refresh_from_db()
    assert (upload.state, upload.deleted_at) == (UploadState.DONE, None)
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    with pytest.raises(Refused, match="cannot be brought back"):
        services.upload_restore(upload=upload, actor=cast.alice, now=now + UNDO_FOR)
    audit = AuditEntry.objects.filter(action__startswith="upload.").order_by("id")
    assert [entry.action for entry in audit] == [
        "upload.deleted", "upload.restored", "upload.deleted",
    ]  # fmt: skip


def test_what_comes_back_unfinished_is_worked_on(post: Post, photo: bytes, cast: Cast) -> None:
    upload, now = post(photo), timezone.now()
    services.upload_delete(upload=upload, actor=cast.alice, now=now)
    while not services.results_poll(now=now):
        pass  # until a report came, and was dropped
    services.upload_restore(upload=upload, actor=cast.alice, now=now)
    services.uploads_sweep(now=now)
    assert finish(upload).state == UploadState.DONE


def test_a_second_deployment_changes_nothing(stack: str) -> None:
    assert not deploy().was_changed


def test_ping_knows_the_key_until_it_is_revoked(stack: str, tenant: Tenant) -> None:
    """The edge follows the key: published when active, taken away when revoked."""
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None

    def ping() -> httpx.Response:
        return httpx.get(f"{stack}/v1/ping", headers={"x-api-key": value})

    version.refresh_from_db()
    assert ping().status_code == 503
    services.edge_sweep(now=timezone.now())  # as if the news of it had been lost
    body = ping().json()
    assert body["key"] == {"id": version.gateway_id, "name": "default"}
    assert body["tenant"] == {"id": str(tenant.uuid), "name": "Alice Corp"}
    assert body["plan"] == "free"
    api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
    version.refresh_from_db()
    services.key_publish(version=version, now=timezone.now())
    assert EdgeItem.objects.get(key=f"key#{version.gateway_id}").body is None
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    assert ping().status_code == 403

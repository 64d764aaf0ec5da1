"""A tenant's whole way out, with a real gateway, S3, DynamoDB and payments."""

import itertools
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

import billing.services
import billing.services.leaving
import conversions.services.leaving as parts
from billing.models import Currency, Order
from conversions import backend, services
from conversions.models import Upload
from tenants import gateway
from tenants.models import (
    ApiKeyVersion,
    AuditEntry,
    GatewayPlan,
    Tenant,
    TenantState,
    User,
    VersionStatus,
)
from tenants.services import (
    api_key_value_reveal,
    leaving_end,
    reconcile,
    tenant_leave,
    usage,
)
from tests.billing.conftest import buy
from tests.conftest import RunTasks
from tests.conversions.storage import put
from tests.conversions.uploads import an_upload
from tests.left import kinds_left, kinds_that_say
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db(transaction=True)

OWNER, NAME = "owner@example.org", "Alice Leaves Ltd"
# What the rules on leaving keep: what was billed, and what that rests on.
STAYS = {
    "ApiKey", "ApiKeyVersion", "BilledUsage", "Customer", "DunningCase", "Entitlement", "Entry",
    "Invoice", "InvoiceLine", "InvoiceTax", "Lease", "LeavingPart", "Order", "OutboxEvent",
    "Payment", "PlanSpan", "Posting", "QuotaGrant", "Subscription", "UsageDay", "UsageReading",
}  # fmt: skip


@pytest.fixture
def tenant(stack: str, stripe_api: None, run_tasks: RunTasks) -> Tenant:
    """A tenant that pays by use, and has a key, a pack, and an upload."""
    now = timezone.now()
    billing.services.seed(now=now)
    signed_up = billing.services.sign_up(
        user=User.objects.create_user(OWNER, "barrier-station-53"), organization=NAME,
        plan_code="starter", currency=Currency.USD, now=now, language="en",
    )  # fmt: skip
    tenant = signed_up.tenant
    assert signed_up.order is not None
    pay(signed_up.order)
    pay(
        billing.services.extension_order(
            tenant=tenant, pack_code="extra-100", token="t", actor=None, now=now
        )
    )
    upload = an_upload(tenant, filename="secret plan.jpg", revision=1)
    put(f"variants/{tenant.uuid}/{upload.uuid}/thumb.webp", b"abc")
    run_tasks()
    return tenant


def pay(order: Order) -> None:
    buy(order)
    billing.services.order_check(order=order, now=timezone.now())


def sync(now: datetime) -> None:
    for mirror in GatewayPlan.objects.exclude(gateway_id=""):
        usage.usage_sync(mirror=mirror, now=now)


def objects_of(tenant: Tenant) -> list[str]:
    listed = backend.client("s3").list_objects_v2(Bucket=backend.outputs()["FilesBucket"])
    return [each["Key"] for each in listed.get("Contents", []) if str(tenant.uuid) in each["Key"]]


def items_of(tenant: Tenant) -> list[str]:
    tables = (backend.outputs()[name] for name in ("UploadsTable", "EdgeTable"))
    scanned = (backend.client("dynamodb").scan(TableName=table)["Items"] for table in tables)
    items = map(str, itertools.chain.from_iterable(scanned))
    return [item for item in items if str(tenant.uuid) in item]


def test_what_breaks_off_is_gone_on_with(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each outside call of the files' part dies once, after it came through."""
    now = timezone.now()
    tenant_leave(tenant=tenant, actor=None, now=now)
    later = now + timedelta(days=8)
    leaving_end.leaving_sweep(now=later)
    part = tenant.leaving_parts.get(app="conversions")
    put(Upload.objects.get().source_key, b"abc")  # not before: a function would look at it
    for module, name in ((backend, "objects_delete"), (parts, "tenant_forgotten")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, dying_after(getattr(module, name)))
            services.leaving_sweep(now=later)
        part.refresh_from_db()
        assert part.done_at is None
    services.leaving_sweep(now=later)
    part.refresh_from_db()
    assert part.done_at == later
    assert objects_of(tenant) == []
    late = {"kind": "created", "origin": "api", "tenant": str(tenant.uuid), "upload": uuid.uuid4(),
            "filename": "late.jpg", "created_at": now.isoformat()}  # fmt: skip
    services.result_apply(body=late, now=later)
    assert not Upload.objects.filter(tenant=tenant).exists()


def dying_after(call: Callable[..., None]) -> Callable[..., None]:
    def die(**given: object) -> None:
        call(**given)
        raise OSError("the worker died")

    return die


def test_a_tenant_leaves_stays_after_all_and_leaves(
    tenant: Tenant, stack: str, run_tasks: RunTasks
) -> None:
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None
    with httpx.Client(base_url=stack, headers={"x-api-key": value}, timeout=60) as caller:
        leaves(tenant, version, caller, run_tasks)


def leaves(
    tenant: Tenant, version: ApiKeyVersion, caller: httpx.Client, run_tasks: RunTasks
) -> None:
    assert [caller.get("/v1/ping").status_code for _ in range(3)] == [200, 200, 200]
    browser = signed_in(tenant.members.get().user)
    assert objects_of(tenant)
    assert items_of(tenant)

    # Asked for, and taken back.
    assert browser.post(reverse("leaving"), {"name": "Alice"}).status_code == 400
    page = browser.post(reverse("leaving"), {"name": NAME}, follow=True)
    assert "is deleted on" in page.content.decode()
    run_tasks("gateway_stop")
    assert caller.get("/v1/ping").status_code == 403
    browser.post(reverse("leaving-keep"))
    run_tasks()
    assert caller.get("/v1/ping").status_code == 200
    assert [each.subject for each in mail.outbox[-2:]] == [
        f"{NAME} is deleted on {(timezone.now() + timedelta(days=7)):%b. %-d, %Y}",
        f"{NAME} is not deleted",
    ]

    # Asked for again, and the grace is over.
    browser.post(reverse("leaving"), {"name": NAME})
    run_tasks()
    assert caller.get("/v1/ping").status_code == 403
    later = timezone.now() + timedelta(days=7, minutes=1)
    leaving_end.leaving_sweep(now=later)
    tenant.refresh_from_db()
    assert tenant.state == TenantState.CLOSING
    assert browser.get(reverse("dashboard")).status_code == 404
    sync(later)
    billing.services.leaving.leaving_sweep(now=later)
    services.leaving_sweep(now=later)
    leaving_end.leaving_sweep(now=later)
    run_tasks()
    tenant.refresh_from_db()
    assert (tenant.state, tenant.name) == (TenantState.CLOSED, "deleted organisation")

    # Nothing is left but what the rules keep.
    assert objects_of(tenant) == items_of(tenant) == []
    assert kinds_left(tenant) <= STAYS
    assert kinds_that_say(OWNER) <= {"Invoice"}
    assert kinds_that_say(NAME) <= {"Invoice"}
    assert kinds_that_say("secret plan") == set()
    assert not User.objects.filter(email=OWNER).exists()
    key = gateway.api_key_find(name=version.gateway_name)
    assert key is not None
    assert key.is_enabled is False
    for _step in ("detached", "deleted"):
        reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later + timedelta(days=91))
    version.refresh_from_db()
    assert (version.status, version.gateway_plan) == (VersionStatus.DELETED, None)
    assert gateway.api_key_find(name=version.gateway_name) is None
    last = AuditEntry.objects.get(action="tenant.closed")
    assert (last.tenant, last.target) == (None, str(tenant.uuid))

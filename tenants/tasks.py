"""Tasks of this app: thin, safe to run twice, late, or half. portal/celery.py schedules them."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from tenants import queue, selectors
from tenants.models import GatewayPlan, Mail, UsagePlan
from tenants.services import (
    alert_levels,
    closing,
    drift,
    idempotency,
    key_ends,
    leaving_end,
    live,
    mails,
    mirrors,
    reconcile,
    reconciling,
    refusals,
    usage,
    webhook_delivery,
    webhook_events,
)
from tenants.services import live_compare as comparing
from tenants.services import quota_alerts as alerting
from tenants.services import usage_unusual as unusual


@shared_task
def tenant_reconcile(tenant_id: int) -> None:
    """Make the gateway what this tenant's rows say."""
    reconcile.tenant_reconcile(tenant_id=tenant_id, clock=timezone.now)


@shared_task
def keys_tell() -> None:
    """Tell people of the keys that expire soon."""
    key_ends.keys_tell(now=timezone.now())


@shared_task
def tenants_sweep() -> None:
    """Queue every tenant whose rows ask for a run: what a lost task or a crash left, or a retry."""
    for tenant_id in reconcile.tenants_due(now=timezone.now()):
        queue.send("tenants.tasks.tenant_reconcile", tenant_id, queue=reconciling.ROUTINE)


@shared_task
def periods_open() -> None:
    """Have the tenants looked at whose new quota period has begun."""
    for tenant in reconcile.tenants_without_period(now=timezone.now()):
        reconciling.reconcile_request(tenant=tenant, now=timezone.now(), lane=reconciling.ROUTINE)


@shared_task
def periods_close() -> None:
    """Say of the quota periods that are over and settled what became of their grants."""
    closing.periods_close(now=timezone.now())


@shared_task
def usage_plan_mirror(usage_plan_id: int) -> None:
    """Make a usage plan's mirrors in the gateway what an operator saved."""
    usage_plan = UsagePlan.objects.get(pk=usage_plan_id)
    mirrors.mirrors_apply(usage_plan=usage_plan, now=timezone.now())


@shared_task
def mirrors_sweep() -> None:
    """Apply the mirrors that the gateway has not confirmed."""
    mirrors.mirrors_sweep(clock=timezone.now)


@shared_task
def gateway_compare() -> None:
    """Look for what was changed at the gateway by somebody else."""
    drift.gateway_compare(clock=timezone.now)


@shared_task
def keys_compare(tenant_id: int) -> None:
    """Look at the keys of a tenant, one of which the gateway does not find."""
    drift.keys_compare(tenant_id=tenant_id, clock=timezone.now)


@shared_task
def usage_sync_all() -> None:
    """Queue a sync for each plan that the gateway has."""
    for mirror_id in GatewayPlan.objects.exclude(gateway_id="").values_list("pk", flat=True):
        queue.send("tenants.tasks.usage_sync", mirror_id, queue=reconciling.ROUTINE)


@shared_task
def usage_sync(mirror_id: int) -> None:
    """Read one plan's usage, and have the tenants looked at whose leases that may move."""
    mirror = GatewayPlan.objects.select_related("usage_plan").get(pk=mirror_id)
    now = timezone.now()
    usage.usage_sync(mirror=mirror, now=now)
    for tenant in usage.tenants_to_reconcile_after_sync(mirror=mirror, now=now):
        reconciling.reconcile_request(tenant=tenant, now=now, lane=reconciling.ROUTINE)


@shared_task
def refusals_follow() -> None:
    """Have the tenants looked at whose keys are refused although another has something left."""
    now = timezone.now()
    for tenant in refusals.tenants_refused(now=now):
        reconciling.reconcile_request(tenant=tenant, now=now)


@shared_task
def leaving_sweep() -> None:
    """Begin, and finish, the end of tenants whose grace is over."""
    leaving_end.leaving_sweep(now=timezone.now())


@shared_task
def live_compare() -> None:
    """Set what the live meter counted beside what is billed."""
    comparing.live_compare(now=timezone.now())


@shared_task
def live_prune() -> None:
    """Forget live figures that are no longer needed."""
    live.live_prune(now=timezone.now())


@shared_task
def webhook_announce(news_id: int, _tenant_id: int | None, _payload: dict[str, Any]) -> None:
    """Tell a tenant's webhook endpoints a piece of news."""
    webhook_events.webhook_announce(news_id=news_id, now=timezone.now())


@shared_task
def webhooks_deliver(endpoint_id: int) -> None:
    """Send what is due to one endpoint; what does not fit into a run goes to the queue's end."""
    if webhook_delivery.endpoint_deliver(endpoint_id=endpoint_id, clock=timezone.now):
        queue.send("tenants.tasks.webhooks_deliver", endpoint_id, queue="webhooks")


@shared_task
def webhooks_sweep() -> None:
    """Queue every endpoint that something is due for: a retry, or what a crash left."""
    for endpoint_id in selectors.webhook_endpoints_due(now=timezone.now()):
        queue.send("tenants.tasks.webhooks_deliver", endpoint_id, queue="webhooks")


@shared_task
def webhooks_prune() -> None:
    """Forget old webhook events."""
    webhook_events.webhooks_prune(now=timezone.now())


@shared_task
def quota_alerts(tenant_ids: list[int]) -> None:
    """Tell of the thresholds of the quota that these tenants have crossed."""
    alerting.quota_alerts(tenant_ids=tenant_ids, now=timezone.now())


@shared_task
def quota_alerts_follow(_news_id: int, tenant_id: int | None, _payload: dict[str, Any]) -> None:
    """Look at a tenant that has another quota: less of it may cross, more of it may arm again."""
    if tenant_id is not None:
        alerting.quota_alerts(tenant_ids=[tenant_id], now=timezone.now())


@shared_task
def quota_alerts_sweep() -> None:
    """Look at all tenants, for what a lost task left, and forget the periods that are over."""
    now = timezone.now()
    alerting.quota_alerts_sweep(now=now)
    alert_levels.alert_levels_prune(before=(now - timedelta(days=7)).date())


@shared_task
def usage_unusual(tenant_ids: list[int]) -> None:
    """Tell the tenants among these whose day is unusual."""
    unusual.usage_unusual(tenant_ids=tenant_ids, now=timezone.now())


@shared_task
def mail_send(mail_pk: int) -> None:
    """Send one mail; a failure is noted, and the sweep tries again."""
    mail = Mail.objects.filter(pk=mail_pk).first()
    if mail is None:  # its tenant is gone, and what it was to be told with it
        return
    with suppress(OSError):
        mails.mail_send(mail=mail, now=timezone.now())


@shared_task
def mails_sweep() -> None:
    """Queue the mails that were not sent."""
    for mail in mails.mails_waiting(now=timezone.now()):
        queue.send("tenants.tasks.mail_send", mail.pk, queue="default")


@shared_task
def mails_prune() -> None:
    """Forget old mails to people who may have gone."""
    mails.mails_prune(now=timezone.now())


@shared_task
def idempotent_calls_prune() -> None:
    """Forget the calls of the management API that need not be recognised any more."""
    idempotency.idempotent_calls_prune(now=timezone.now())

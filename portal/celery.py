"""The Celery app: its queues, who receives which news, and the whole beat schedule.

Three workers run these: one for the `gateway` queues, with a single process so that the control
plane's rate limit is met in one place, one of threads for `webhooks`, which waits for tenants'
servers, and one for the rest. `gateway_stop` is for keys that are revoked, and emptied first,
however many sign up; then `gateway_urgent`, for what a tenant waits for. The schedule is copied to
django-celery-beat's tables at `seed`, where an operator may change it.
"""

import os

from celery import Celery
from kombu.entity import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.conf import settings

GATEWAY_QUEUES = ("gateway_stop", "gateway_urgent", "gateway")

app = Celery("sekisho")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    task_ignore_result=True,
    # A task that dies with its worker is delivered again; every task can run twice.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    task_default_queue="default",
    task_queues=[Queue(name) for name in ("default", "webhooks", *GATEWAY_QUEUES)],
    task_routes={
        "tenants.tasks.tenant_reconcile": {"queue": "gateway_urgent"},
        "tenants.tasks.usage_plan_mirror": {"queue": "gateway_urgent"},
        "tenants.tasks.mirrors_sweep": {"queue": "gateway"},
        "tenants.tasks.usage_sync": {"queue": "gateway"},
        "tenants.tasks.gateway_compare": {"queue": "gateway"},
        "tenants.tasks.keys_compare": {"queue": "gateway"},
        "tenants.tasks.webhooks_deliver": {"queue": "webhooks"},
    },
    broker_connection_retry_on_startup=True,
    # A web page must not wait for a broker that is away: what it asked for is in its rows.
    broker_transport_options={
        "queue_order_strategy": "priority",
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "visibility_timeout": 600,
    },
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    timezone="UTC",
)
app.autodiscover_tasks(["portal", "tenants", "billing", "conversions"])

WEBHOOKS = "tenants.tasks.webhook_announce"

# kind of news -> the tasks that receive it, each as task(event id, tenant id, payload)
RECEIVERS: dict[str, list[str]] = {
    "key.created": [WEBHOOKS],
    "key.rotated": [WEBHOOKS],
    "key.active": ["conversions.tasks.key_publish", WEBHOOKS],
    "key.updated": ["conversions.tasks.key_publish", WEBHOOKS],
    "key.expires": [WEBHOOKS],
    "key.revoked": ["conversions.tasks.key_publish", WEBHOOKS],
    "tenant.plan_changed": [
        "conversions.tasks.tenant_publish",
        "tenants.tasks.quota_alerts_follow",
    ],
    "tenant.updated": ["conversions.tasks.tenant_publish", WEBHOOKS],
    "quota.changed": ["conversions.tasks.tenant_publish", "tenants.tasks.quota_alerts_follow"],
    "quota.threshold": [WEBHOOKS],
    "usage.unusual": [WEBHOOKS],
    "tenant.closing": ["billing.tasks.tenant_closing", WEBHOOKS],
    "tenant.kept": [WEBHOOKS],
    "tenant.closed": ["conversions.tasks.tenant_publish"],
    "extension.granted": [WEBHOOKS],
    "invoice.issued": [WEBHOOKS],
    "invoice.paid": [WEBHOOKS],
    "payment.failed": [WEBHOOKS],
    "spending.threshold": [WEBHOOKS],
    "subscription.changed": [WEBHOOKS],
    "upload.finished": [WEBHOOKS],
}

# name -> (task, seconds between runs)
SCHEDULE: dict[str, tuple[str, int]] = {
    "send mails": ("tenants.tasks.mails_sweep", settings.SWEEP_SECONDS),
    "forget old mails": ("tenants.tasks.mails_prune", 24 * 3600),
    "sync usage": ("tenants.tasks.usage_sync_all", settings.USAGE_SYNC_SECONDS),
    "sweep tenants": ("tenants.tasks.tenants_sweep", settings.SWEEP_SECONDS),
    "tell of keys that expire": ("tenants.tasks.keys_tell", 600),
    "look for alerts": ("tenants.tasks.quota_alerts_sweep", 3600),
    "sweep usage plans": ("tenants.tasks.mirrors_sweep", settings.SWEEP_SECONDS),
    "compare with the gateway": ("tenants.tasks.gateway_compare", 3600),
    "open quota periods": ("tenants.tasks.periods_open", 60),
    "close quota periods": ("tenants.tasks.periods_close", 60),
    "process Stripe's events": ("billing.tasks.events_sweep", settings.SWEEP_SECONDS),
    "reconcile with Stripe": ("billing.tasks.reconcile", 24 * 3600),
    "look up waiting orders": ("billing.tasks.orders_sweep", settings.SWEEP_SECONDS),
    "end what pays too much": ("billing.tasks.attempts_sweep", settings.SWEEP_SECONDS),
    "finish refunds": ("billing.tasks.refunds_sweep", settings.SWEEP_SECONDS),
    "buy packs that run low": ("billing.tasks.top_up", settings.SWEEP_SECONDS),
    "take packs back": ("billing.tasks.packs_take_back", settings.SWEEP_SECONDS),
    "dun what could not be collected": ("billing.tasks.dun", 600),
    "look after saved cards": ("billing.tasks.cards_sweep", 3600),
    "tell Stripe of other owners": ("billing.tasks.customers_follow", 3600),
    "change plans and prices": ("billing.tasks.changes_apply", 60),
    "tell whose trial ends": ("billing.tasks.trials_announce", 3600),
    "close the month": ("billing.tasks.close_month", 3600),
    "look for months that nobody closed": ("billing.tasks.months_missed", 24 * 3600),
    "correct closed months": ("billing.tasks.months_correct", 12 * 3600),
    "look at what months cost": ("billing.tasks.spending_alerts", settings.USAGE_SYNC_SECONDS),
    "reckon spending caps": ("billing.tasks.caps_sweep", 3600),
    "submit sign-up requests": ("billing.tasks.sign_up_requests_submit", settings.SWEEP_SECONDS),
    "ask VIES": ("billing.tasks.vies_sweep", settings.SWEEP_SECONDS),
    "collect open invoices": ("billing.tasks.collect", 3600),
    "apply conversions' results": ("conversions.tasks.results_poll", settings.RESULTS_POLL_SECONDS),
    "forget what tries took": ("conversions.tasks.compute_prune", 24 * 3600),
    "read the live meter": ("conversions.tasks.live_poll", settings.LIVE_POLL_SECONDS),
    "publish to the edge": ("conversions.tasks.edge_sweep", settings.SWEEP_SECONDS),
    "sweep uploads": ("conversions.tasks.uploads_sweep", 60),
    "let old files go": ("conversions.tasks.retention_sweep", 3600),
    "go on with re-makings": ("conversions.tasks.remakes_sweep", settings.SWEEP_SECONDS),
    "follow refusals": ("tenants.tasks.refusals_follow", settings.LIVE_POLL_SECONDS),
    "compare live figures": ("tenants.tasks.live_compare", 3600),
    "forget old live figures": ("tenants.tasks.live_prune", 3600),
    "let tenants go": ("tenants.tasks.leaving_sweep", 300),
    "bill who leaves": ("billing.tasks.leaving_sweep", 300),
    "delete the files of who leaves": ("conversions.tasks.leaving_sweep", 300),
    "send webhooks": ("tenants.tasks.webhooks_sweep", settings.SWEEP_SECONDS),
    "forget old webhooks": ("tenants.tasks.webhooks_prune", 24 * 3600),
    "forget idempotent calls": ("tenants.tasks.idempotent_calls_prune", 3600),
    "relay news": ("portal.tasks.outbox_relay", settings.SWEEP_SECONDS),
    "forget old news": ("portal.tasks.outbox_prune", 24 * 3600),
}
if settings.LIVE_PROBE_SECONDS:
    SCHEDULE["probe the live meter"] = ("conversions.tasks.live_probe", settings.LIVE_PROBE_SECONDS)

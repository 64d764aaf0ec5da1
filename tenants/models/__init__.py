"""Who calls, and how much: everything that has no price.

people.py      users, tenants, members, holds
plans.py       usage plans, their mirrors in the gateway, which tenant held which plan when
stages.py      the API's stages in the gateway
keys.py        API keys and their versions
drift.py       where the gateway was found to be other than our rows
tokens.py      tokens for the management API
idempotency.py calls of the management API that are made once
usage.py       usage by version, meter and UTC day
leaving.py     what is to be done before a tenant that leaves is gone
live.py        the live meter's figures: seconds old, never billed
quota.py       entitlements, grants, leases
outbox.py      news for the apps above, and what has been done with it
webhooks.py    webhooks to tenants: endpoints, events, deliveries, attempts
invitations.py  invitations into a tenant, by mail
mails.py       mails to people, and to operators
alerts.py      alerts: what a tenant was told, and how it wants to be told
audit.py       who did what, when, from where
"""

from tenants.models.alerts import Alert, AlertLevel, AlertSettings
from tenants.models.audit import ActorKind, AuditEntry
from tenants.models.drift import DriftKind, GatewayDrift
from tenants.models.idempotency import IdempotentCall
from tenants.models.invitations import Invitation, InvitationState
from tenants.models.keys import ApiKey, ApiKeyVersion, KeySlot, VersionStatus
from tenants.models.leaving import LeavingPart
from tenants.models.live import LiveDay, LiveMeter, LiveMinute
from tenants.models.mails import Mail
from tenants.models.outbox import OutboxEvent
from tenants.models.people import Hold, HoldReason, Member, Role, Tenant, TenantState, User
from tenants.models.plans import GatewayPlan, MethodLimit, PlanSpan, QuotaPeriod, UsagePlan
from tenants.models.quota import Entitlement, GrantKind, Lease, QuotaGrant
from tenants.models.stages import GatewayStage
from tenants.models.tokens import ApiToken
from tenants.models.usage import SOLD, Meter, UsageDay, UsageRecord
from tenants.models.webhooks import (
    DeliveryState,
    DisabledReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

__all__ = [
    "SOLD",
    "ActorKind",
    "Alert",
    "AlertLevel",
    "AlertSettings",
    "ApiKey",
    "ApiKeyVersion",
    "ApiToken",
    "AuditEntry",
    "DeliveryState",
    "DisabledReason",
    "DriftKind",
    "Entitlement",
    "GatewayDrift",
    "GatewayPlan",
    "GatewayStage",
    "GrantKind",
    "Hold",
    "HoldReason",
    "IdempotentCall",
    "Invitation",
    "InvitationState",
    "KeySlot",
    "Lease",
    "LeavingPart",
    "LiveDay",
    "LiveMeter",
    "LiveMinute",
    "Mail",
    "Member",
    "Meter",
    "MethodLimit",
    "OutboxEvent",
    "PlanSpan",
    "QuotaGrant",
    "QuotaPeriod",
    "Role",
    "Tenant",
    "TenantState",
    "UsageDay",
    "UsagePlan",
    "UsageRecord",
    "User",
    "VersionStatus",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]

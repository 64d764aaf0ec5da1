"""This app's part of what a tenant takes along. No secrets: values of keys and tokens are nowhere,
those of webhooks are shown once.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.export import Part, document, table
from tenants.models import (
    Alert,
    ApiKeyVersion,
    ApiToken,
    Invitation,
    Member,
    PlanSpan,
    QuotaGrant,
    Tenant,
    UsageDay,
    WebhookEndpoint,
)
from tenants.models.usage import SOLD
from tenants.selectors.audit import AUDIT_COLUMNS, AuditFilter, audit_entries

_AT_ONCE = 500  # rows that are read together


def export_parts(*, tenant: Tenant) -> Iterator[Part]:
    """Yield what this app knows of a tenant."""
    facts = {
        "id": tenant.uuid,
        "name": tenant.name,
        "language": tenant.language,
        "created_at": tenant.created_at,
    }
    yield Part("organisation.json", _("Your organisation."), lambda: document(facts))
    members = Member.objects.filter(tenant=tenant)
    yield _table(
        "members.csv",
        _("Its members and their roles."),
        members,
        {
            "email": "user__email",
            "role": "role",
            "since": "created_at",
            "alert_mails": "alert_mails",
        },
    )
    invitations = Invitation.objects.filter(tenant=tenant)
    yield _table(
        "invitations.csv",
        _("Invitations, with what became of them."),
        invitations,
        {
            "email": "email", "role": "role", "state": "state", "invited_by": "invited_by__email",
            "created_at": "created_at", "expires_at": "expires_at", "ended_at": "ended_at",
        },
    )  # fmt: skip
    versions = ApiKeyVersion.objects.filter(api_key__tenant=tenant)
    yield _table(
        "keys.csv",
        _("API keys: a line for each value that one had, without the value."),
        versions,
        {
            "id": "api_key__uuid", "name": "api_key__name", "last_four": "last_four",
            "status": "status", "created_by": "api_key__created_by__email",
            "created_at": "created_at", "active_since": "activated_at",
            "expires_at": "api_key__expires_at", "revoked_at": "revoked_at",
        },
    )  # fmt: skip
    tokens = ApiToken.objects.filter(tenant=tenant)
    yield _table(
        "tokens.csv",
        _("Tokens for the management API, without their values."),
        tokens,
        {
            "id": "uuid", "name": "name", "last_four": "last_four", "acts_as": "user__email",
            "scopes": "scopes", "created_by": "created_by__email", "created_at": "created_at",
            "expires_at": "expires_at", "last_used_on": "last_used_on", "revoked_at": "revoked_at",
        },
    )  # fmt: skip
    usage = UsageDay.objects.filter(tenant=tenant, meter__in=SOLD)
    yield _table(
        "usage.csv",
        _("Usage by UTC day; requests by key."),
        usage.order_by("day", "id"),
        {
            "day": "day", "meter": "meter", "key": "version__api_key__name",
            "key_last_four": "version__last_four", "used": "used", "read_at": "read_at",
        },
    )  # fmt: skip
    spans = PlanSpan.objects.filter(tenant=tenant)
    yield _table(
        "plans.csv",
        _("Which plan's limits you had when (UTC days, the last one not included)."),
        spans,
        {"plan": "usage_plan__code", "from": "starts_on", "until": "ends_on"},
    )
    grants = QuotaGrant.objects.filter(entitlement__tenant=tenant)
    yield _table(
        "grants.csv",
        _("Extra requests: quota extensions, credits, and what rolled over."),
        grants,
        {
            "kind": "kind", "requests": "requests", "period_start": "entitlement__period_start",
            "period_end": "entitlement__period_end", "granted_at": "granted_at",
            "withdrawn_at": "withdrawn_at", "used": "used_requests", "expired": "expired_requests",
        },
    )  # fmt: skip
    endpoints = WebhookEndpoint.objects.filter(tenant=tenant)
    yield _table(
        "webhooks.csv",
        _("Webhook endpoints, without their secrets."),
        endpoints,
        {
            "id": "uuid", "url": "url", "description": "description", "event_types": "event_types",
            "created_by": "created_by__email", "created_at": "created_at",
            "disabled_at": "disabled_at", "disabled_because": "disabled_reason",
        },
    )  # fmt: skip
    alerts = Alert.objects.filter(tenant=tenant)
    yield _table(
        "alerts.csv",
        _("Alerts that were raised."),
        alerts,
        {"at": "raised_at", "kind": "kind", "data": "data", "seen_at": "seen_at"},
    )
    yield _table(
        "audit.csv",
        _("The audit trail: who did what, when, from where."),
        audit_entries(tenant=tenant, asked=AuditFilter()),
        AUDIT_COLUMNS,
    )


def _table(path: str, about: Promise, rows: QuerySet[Any], columns: dict[str, str]) -> Part:
    """Return a table of rows; `columns` maps the file's names to the fields."""
    return Part(path, about, partial(_pieces, rows, columns))


def _pieces(rows: QuerySet[Any], columns: dict[str, str]) -> Iterator[bytes]:
    found: Iterator[Sequence[Any]] = rows.values_list(*columns.values()).iterator(_AT_ONCE)
    return table(list(columns), found)

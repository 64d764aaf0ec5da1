"""What pages, the API and the apps above read. Every query starts from the tenant."""

from datetime import datetime

from django.db.models import Q, QuerySet

from tenants.models import HoldReason, Member, QuotaGrant, Tenant, User
from tenants.selectors.alerts import alert_settings as alert_settings
from tenants.selectors.alerts import alert_settings_of as alert_settings_of
from tenants.selectors.alerts import alerts as alerts
from tenants.selectors.alerts import alerts_page as alerts_page
from tenants.selectors.alerts import alerts_unseen as alerts_unseen
from tenants.selectors.alerts import usage_known as usage_known
from tenants.selectors.audit import AuditFilter as AuditFilter
from tenants.selectors.audit import audit_actors as audit_actors
from tenants.selectors.audit import audit_entries as audit_entries
from tenants.selectors.by_key import KeyUsage as KeyUsage
from tenants.selectors.by_key import usage_by_key as usage_by_key
from tenants.selectors.grants import GrantRow as GrantRow
from tenants.selectors.grants import GrantState as GrantState
from tenants.selectors.grants import grant_rows as grant_rows
from tenants.selectors.grants import granted_left as granted_left
from tenants.selectors.grants import grants_in_order as grants_in_order
from tenants.selectors.invitations import Standing as Standing
from tenants.selectors.invitations import invitation_by_token as invitation_by_token
from tenants.selectors.invitations import invitations_open as invitations_open
from tenants.selectors.invitations import standing as standing
from tenants.selectors.keys import api_keys as api_keys
from tenants.selectors.keys import key_last_used as key_last_used
from tenants.selectors.keys import last_used as last_used
from tenants.selectors.keys import newest_version as newest_version
from tenants.selectors.keys import retiring_version as retiring_version
from tenants.selectors.keys import version_in_use as version_in_use
from tenants.selectors.keys import version_unrevealed as version_unrevealed
from tenants.selectors.limited import limited_requests as limited_requests
from tenants.selectors.limited import paid_by_use as paid_by_use
from tenants.selectors.limited import quota_under as quota_under
from tenants.selectors.live import live_as_of as live_as_of
from tenants.selectors.live import live_lossy as live_lossy
from tenants.selectors.live import live_meter as live_meter
from tenants.selectors.live import live_used as live_used
from tenants.selectors.live_pages import live_comparisons as live_comparisons
from tenants.selectors.live_pages import live_hour as live_hour
from tenants.selectors.live_pages import live_today as live_today
from tenants.selectors.members import is_last_owner as is_last_owner
from tenants.selectors.members import member_by_id as member_by_id
from tenants.selectors.members import members_who_may as members_who_may
from tenants.selectors.members import tenants_owned_alone as tenants_owned_alone
from tenants.selectors.members import users_of_no_other as users_of_no_other
from tenants.selectors.quota import Quota as Quota
from tenants.selectors.quota import current_entitlement as current_entitlement
from tenants.selectors.quota import current_period as current_period
from tenants.selectors.quota import quotas as quotas
from tenants.selectors.quota import usage_in_period as usage_in_period
from tenants.selectors.second_factors import has_second_factor as has_second_factor
from tenants.selectors.second_factors import is_barred as is_barred
from tenants.selectors.second_factors import tenants_lost_with_factor as tenants_lost_with_factor
from tenants.selectors.second_factors import with_second_factor as with_second_factor
from tenants.selectors.tokens import api_token_by_digest as api_token_by_digest
from tenants.selectors.tokens import api_tokens as api_tokens
from tenants.selectors.tokens import member_of_token as member_of_token
from tenants.selectors.totals import caps_written as caps_written
from tenants.selectors.totals import usage_day_sums as usage_day_sums
from tenants.selectors.totals import usage_read_at as usage_read_at
from tenants.selectors.totals import usage_sums as usage_sums
from tenants.selectors.usage import DayRow as DayRow
from tenants.selectors.usage import DayUsed as DayUsed
from tenants.selectors.usage import UsageNow as UsageNow
from tenants.selectors.usage import synced_at as synced_at
from tenants.selectors.usage import usage_days as usage_days
from tenants.selectors.usage import usage_now as usage_now
from tenants.selectors.usage import usage_total as usage_total
from tenants.selectors.webhooks import webhook_deliveries as webhook_deliveries
from tenants.selectors.webhooks import webhook_deliveries_page as webhook_deliveries_page
from tenants.selectors.webhooks import webhook_endpoints as webhook_endpoints
from tenants.selectors.webhooks import webhook_endpoints_due as webhook_endpoints_due
from tenants.selectors.webhooks import webhook_listeners as webhook_listeners


def membership(*, user: User, tenant_uuid: str | None) -> Member | None:
    """Return the user's membership: in the tenant asked for, else the oldest one."""
    mine = _members(user).select_related("tenant__usage_plan", "user").order_by("id")
    if tenant_uuid:
        chosen = mine.filter(tenant__uuid=tenant_uuid).first()
        if chosen is not None:
            return chosen
    return mine.first()


def memberships(*, user: User) -> QuerySet[Member]:
    """Return all of a user's memberships, by the tenant's name."""
    return _members(user).select_related("tenant").order_by("tenant__name", "id")


def _members(user: User) -> QuerySet[Member]:
    """Return a user's memberships of tenants whose end has not begun."""
    return Member.objects.filter(user=user, tenant__leaving_parts=None)


def holds_standing(*, tenant: Tenant) -> list[str]:
    """Return why the tenant's keys are stopped, in words, with what whoever stopped them says.

    Not that an invoice is unpaid, or that it is being deleted: every page has a banner for that,
    with the way out.
    """
    told = [HoldReason.DUNNING, HoldReason.DELETION]
    standing = tenant.holds.filter(lifted_at=None).exclude(reason__in=told)
    return [
        f"{hold.get_reason_display()}: {hold.note}" if hold.note else str(hold.get_reason_display())
        for hold in standing
    ]


def grant_is_applied(*, source: str) -> bool:
    """Say whether a grant has reached the gateway."""
    return QuotaGrant.objects.filter(source=source, applied_at__isnull=False).exists()


def is_in_step(*, tenant: Tenant, now: datetime) -> bool:
    """Say whether the gateway shows what was asked for: a run has ended well since.

    What it has left for another day, such as to remove a revoked key, is not waited for.
    """
    waiting = Q(reconcile_at__lte=now) | Q(reconcile_attempts__gt=0)
    return not Tenant.objects.filter(waiting, pk=tenant.pk).exists()

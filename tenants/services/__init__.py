"""Everything that changes the rows of this app, for the apps above, pages, tasks and commands.

Each function is keyword-only, named entity_action, and is one short transaction that locks, checks
and then acts. None of them talks to the gateway but those in `reconcile`, `mirrors` and `usage`,
nor to anybody else but those in `webhook_delivery`, which workers alone call.
"""

from tenants.services.accounts import account_delete, account_keep
from tenants.services.alert_levels import Reading, levels_tell, percents_of
from tenants.services.alerts import (
    LARGEST_AMOUNT,
    MOST_AMOUNTS,
    alert_mails_choose,
    alert_raise,
    alert_settings_update,
    alerts_see,
    kinds_mailed,
)
from tenants.services.api_keys import (
    api_key_create,
    api_key_retry,
    api_key_revoke,
    api_key_update,
    api_key_value_reveal,
)
from tenants.services.audit import audit_record
from tenants.services.grants import (
    Release,
    grant_release,
    quota_grant_restore,
    quota_grant_return,
    quota_grant_withdraw,
)
from tenants.services.holds import hold_lift, hold_place
from tenants.services.invitations import (
    invitation_accept,
    invitation_create,
    invitation_decline,
    invitation_resend,
    invitation_withdraw,
)
from tenants.services.key_rotation import MOST_OVERLAP, api_key_overlap_end, api_key_rotate
from tenants.services.leaving import tenant_keep, tenant_leave, tenant_open_check
from tenants.services.leaving_end import leaving_parts_do, rows_forget
from tenants.services.live import live_record
from tenants.services.mails import (
    mail_add,
    mail_members,
    mail_operators,
    mail_person,
    mail_send_again,
)
from tenants.services.members import (
    member_change_role,
    member_leave,
    member_remove,
    ownership_transfer,
)
from tenants.services.outbox import outbox_publish
from tenants.services.quota import quota_cap_set, quota_grant
from tenants.services.second_factors import second_factor_require
from tenants.services.tenants import tenant_change_plan, tenant_create, tenant_update
from tenants.services.tokens import api_token_create, api_token_revoke, api_token_used
from tenants.services.usage import usage_record, usage_records_prune
from tenants.services.usage_plans import usage_plan_save
from tenants.services.webhook_events import (
    MOST_REPLAYED,
    webhook_replay,
    webhook_replay_failed,
    webhook_tell,
    webhook_test_send,
)
from tenants.services.webhooks import (
    webhook_endpoint_create,
    webhook_endpoint_delete,
    webhook_endpoint_disable,
    webhook_endpoint_enable,
    webhook_endpoint_update,
    webhook_secret_reveal,
    webhook_secret_rotate,
)

__all__ = [
    "LARGEST_AMOUNT",
    "MOST_AMOUNTS",
    "MOST_OVERLAP",
    "MOST_REPLAYED",
    "Reading",
    "Release",
    "account_delete",
    "account_keep",
    "alert_mails_choose",
    "alert_raise",
    "alert_settings_update",
    "alerts_see",
    "api_key_create",
    "api_key_overlap_end",
    "api_key_retry",
    "api_key_revoke",
    "api_key_rotate",
    "api_key_update",
    "api_key_value_reveal",
    "api_token_create",
    "api_token_revoke",
    "api_token_used",
    "audit_record",
    "grant_release",
    "hold_lift",
    "hold_place",
    "invitation_accept",
    "invitation_create",
    "invitation_decline",
    "invitation_resend",
    "invitation_withdraw",
    "kinds_mailed",
    "leaving_parts_do",
    "levels_tell",
    "live_record",
    "mail_add",
    "mail_members",
    "mail_operators",
    "mail_person",
    "mail_send_again",
    "member_change_role",
    "member_leave",
    "member_remove",
    "outbox_publish",
    "ownership_transfer",
    "percents_of",
    "quota_cap_set",
    "quota_grant",
    "quota_grant_restore",
    "quota_grant_return",
    "quota_grant_withdraw",
    "rows_forget",
    "second_factor_require",
    "tenant_change_plan",
    "tenant_create",
    "tenant_keep",
    "tenant_leave",
    "tenant_open_check",
    "tenant_update",
    "usage_plan_save",
    "usage_record",
    "usage_records_prune",
    "webhook_endpoint_create",
    "webhook_endpoint_delete",
    "webhook_endpoint_disable",
    "webhook_endpoint_enable",
    "webhook_endpoint_update",
    "webhook_replay",
    "webhook_replay_failed",
    "webhook_secret_reveal",
    "webhook_secret_rotate",
    "webhook_tell",
    "webhook_test_send",
]

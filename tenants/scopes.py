"""What a caller of the management API can be let do: the one table of scopes.

Authentication, the pages and the reference read it. A scope that changes something needs the act of
tenants/permissions.py that the member's role allows, whose session or personal token it is.
"""

from collections.abc import Iterable
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import Member, Role
from tenants.permissions import Act, may


class Scope(StrEnum):
    """A part of the management API, for reading or for changing."""

    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    USAGE_READ = "usage:read"
    BILLING_READ = "billing:read"
    BILLING_WRITE = "billing:write"
    UPLOADS_READ = "uploads:read"
    UPLOADS_WRITE = "uploads:write"
    TEAM_READ = "team:read"
    TEAM_WRITE = "team:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    AUDIT_READ = "audit:read"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"

    @property
    def label(self) -> str | Promise:
        return _SCOPES[self][0]

    @property
    def act(self) -> Act | None:
        """What the member's role must allow; None where every member may."""
        return _SCOPES[self][1]


_SCOPES: dict[Scope, tuple[str | Promise, Act | None]] = {
    Scope.KEYS_READ: (_("See the keys, never their values"), None),
    Scope.KEYS_WRITE: (_("Create, rotate and revoke keys"), Act.CHANGE_KEYS),
    Scope.USAGE_READ: (_("See the usage and what is left"), None),
    Scope.BILLING_READ: (_("See the plan, invoices, extensions and spending caps"), None),
    Scope.BILLING_WRITE: (_("Change the plan, buy extensions, and set spending caps"), Act.BUY),
    Scope.UPLOADS_READ: (_("See and search uploads"), None),
    Scope.UPLOADS_WRITE: (_("Upload files, delete and restore them"), Act.UPLOAD),
    Scope.TEAM_READ: (_("See the members and who is invited"), None),
    Scope.TEAM_WRITE: (_("Invite people, change their roles, remove them"), Act.MANAGE_MEMBERS),
    Scope.WEBHOOKS_READ: (_("See webhook endpoints and what was sent"), None),
    Scope.WEBHOOKS_WRITE: (
        _("Add, change and delete webhook endpoints, test and replay"),
        Act.CHANGE_WEBHOOKS,
    ),
    Scope.ALERTS_READ: (_("See the alerts and when they are told"), None),
    # A setting takes the scope of what it is about as well (api_alerts.py).
    Scope.ALERTS_WRITE: (_("Mark alerts as seen, and change when they are told"), None),
    Scope.AUDIT_READ: (_("See the audit trail"), Act.SEE_AUDIT),
    Scope.SETTINGS_READ: (_("See the organisation's name and language"), None),
    Scope.SETTINGS_WRITE: (_("Change the organisation's name and language"), Act.CHANGE_SETTINGS),
    Scope.TOKENS_READ: (_("See the tokens, never their values"), None),
    Scope.TOKENS_WRITE: (_("Create tokens that can do no more than this one, and revoke"), None),
}

# What a key reads through the gateway. It is on servers and in browsers that should see no more.
OF_KEYS = frozenset({Scope.KEYS_READ, Scope.USAGE_READ, Scope.BILLING_READ, Scope.UPLOADS_READ})


def scopes_of(member: Member) -> frozenset[Scope]:
    """Return what the member's role of this moment lets them do."""
    return frozenset(scope for scope in Scope if scope.act is None or may(member, scope.act))


def roles_within(scopes: frozenset[Scope]) -> list[Role]:
    """Return the roles that a caller with these scopes may give and take, if their member may.

    None that may do more, and never owner: for that a page asks for the password.
    """
    return [role for role in Role if role != Role.OWNER and scopes_of(Member(role=role)) <= scopes]


def scopes_named(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of these names. One that was taken out of the table opens nothing."""
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[name] for name in names if name in known)

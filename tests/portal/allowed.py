"""Who may call which address, and how: the table behind tests/portal/test_matrix.py.

A route is written as the URLconf has it. Where GET is allowed, so is HEAD. Whatever is not allowed
here is refused, and how is told by the kind of address that it is:

=========  ==============  ==============  ==========  ==============  ================
kind       not signed in   a role that     a stranger  an operator     another method
                           may not                     of no tenant
=========  ==============  ==============  ==========  ==============  ================
OWN        to log in       (allowed)       (allowed)   (allowed)       405
PAGES      to log in       403             their own   404             405
THINGS     to log in       403             404         404             405
API        401             403             their own   404             405; OPTIONS 200
API_THINGS 401             403             404         404             405; OPTIONS 200
=========  ==============  ==============  ==========  ==============  ================

Strangers own another tenant, and see that one's pages. OWN is of a person, not of a tenant.
"""

from collections.abc import Mapping
from enum import StrEnum

from tenants.models import Role


class Visitor(StrEnum):
    """Somebody who calls; the four members are of one tenant."""

    ANONYMOUS = "anonymous"
    STRANGER = "stranger"
    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    BILLING = "billing"
    OPERATOR = "operator"


Roles = frozenset[str]
Row = Mapping[str, Roles]

TEAM: Roles = frozenset(Role.values)
OWNER: Roles = frozenset({Role.OWNER})
LEADS: Roles = frozenset({Role.OWNER, Role.ADMIN})
BUILDERS: Roles = frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER})
BUYERS: Roles = frozenset({Role.OWNER, Role.ADMIN, Role.BILLING})

LOOK: Row = {"GET": TEAM}

# Anybody, signed in or not, by these methods.
PUBLIC: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "", "plans/", "healthz", "readyz", "favicon.ico", "docs/", "docs/openapi.json",
            "api/docs/", "s/<str:token>", "p/<uuid:public_id>/<slug:preset_code>",
        ),
        frozenset({"GET"}),
    ),
    "invitations/<str:invitation_token>/": frozenset({"GET"}),
    "invitations/<str:invitation_token>/join/": frozenset({"GET", "POST"}),
    "invitations/<str:invitation_token>/accept/": frozenset({"POST"}),
    "invitations/<str:invitation_token>/decline/": frozenset({"POST"}),
    "alerts/unsubscribe/<str:unsubscribe_token>/": frozenset({"GET", "POST"}),
    "webhooks/stripe/": frozenset({"POST"}),
}  # fmt: skip

# Whoever is signed in, by these methods.
OWN: Mapping[str, frozenset[str]] = {
    "settings/security/": frozenset({"GET"}),
    "settings/security/sessions/end/": frozenset({"POST"}),
    "settings/security/connection/remove/": frozenset({"POST"}),
    "settings/security/delete/": frozenset({"GET", "POST"}),
    "tenants/new/": frozenset({"GET", "POST"}),
}

PAGES: Mapping[str, Row] = {
    "dashboard/": LOOK,
    "dashboard/usage/": LOOK,
    "dashboard/key/": LOOK,
    "dashboard/live/": LOOK,
    "alerts/": LOOK,
    "alerts/seen/": {"POST": TEAM},
    "usage/": LOOK,
    "usage.csv": LOOK,
    "usage-by-key.csv": LOOK,
    "keys/": LOOK,
    "keys/create/": {"POST": BUILDERS},
    "billing/": LOOK,
    "billing/invoices/": LOOK,
    "billing/invoices.csv": LOOK,
    "billing/invoices.json": LOOK,
    "billing/details/": {"GET": TEAM, "POST": BUYERS},
    "billing/plan/": LOOK,
    "billing/plan/<slug:code>/": {"GET": TEAM, "POST": BUYERS},
    "billing/keep-plan/": {"POST": BUYERS},
    "billing/cards/add/": {"POST": BUYERS},
    "billing/extensions/": LOOK,
    "billing/extensions/buy/": {"POST": BUYERS},
    "billing/extensions/top-up/": {"POST": BUYERS},
    "billing/cap/": {"POST": BUYERS},
    "uploads/": LOOK,
    "uploads/news/": LOOK,
    "uploads/create/": {"POST": BUILDERS},
    "uploads/archive.zip": {"GET": TEAM, "POST": TEAM},
    "team/": LOOK,
    "team/invite/": {"POST": LEADS},
    "team/leave/": {"POST": TEAM},
    "settings/": {"GET": TEAM, "POST": LEADS},
    "settings/export.zip": {"POST": OWNER},
    "settings/alerts/": {"GET": TEAM, "POST": LEADS},
    "settings/alerts/spending/": {"POST": BUYERS},
    "settings/alerts/mails/": {"POST": TEAM},
    "settings/security/required/": {"POST": OWNER},
    "settings/delete/": {"GET": OWNER, "POST": OWNER},
    "settings/keep/": {"POST": OWNER},
    "settings/audit/": {"GET": LEADS},
    "settings/audit.csv": {"GET": LEADS},
    "settings/tokens/": {"GET": TEAM, "POST": TEAM},
    "settings/webhooks/": LOOK,
    "settings/webhooks/events/": LOOK,
    "settings/webhooks/create/": {"GET": BUILDERS, "POST": BUILDERS},
}

# Addresses, or forms, that name something of a tenant's.
THINGS: Mapping[str, Row] = {
    "alerts/<uuid:alert_id>/seen/": {"POST": TEAM},
    "keys/<uuid:key_id>/edit/": {"POST": BUILDERS},
    "keys/<uuid:key_id>/rotate/": {"POST": BUILDERS},
    "keys/<uuid:key_id>/end-old/": {"POST": BUILDERS},
    "keys/<uuid:key_id>/retry/": {"POST": BUILDERS},
    "keys/<uuid:key_id>/revoke/": {"POST": BUILDERS},
    "billing/checkout/<uuid:order_uuid>/": {"GET": BUYERS},
    "billing/checkout/<uuid:order_uuid>/return/": LOOK,
    "billing/invoices/<str:number>.pdf": LOOK,
    "billing/invoices/<str:number>/pay/": LOOK,
    "billing/invoices/<str:number>/checkout/": {"POST": BUYERS},
    "billing/invoices/<str:number>/paid/": LOOK,
    "billing/cards/<int:card_id>/default/": {"POST": BUYERS},
    "billing/cards/<int:card_id>/remove/": {"POST": BUYERS},
    "billing/extensions/<uuid:order_uuid>/give-back/": {"POST": BUYERS},
    "uploads/delete/": {"POST": BUILDERS},
    "uploads/restore/": {"POST": BUILDERS},
    "uploads/<uuid:upload_id>/retry/": {"POST": BUILDERS},
    "uploads/<uuid:upload_id>/links/": {"GET": BUILDERS, "POST": BUILDERS},
    "uploads/<uuid:upload_id>/public/": {"POST": BUILDERS},
    "uploads/<uuid:upload_id>/source/": LOOK,
    "uploads/<uuid:upload_id>/variants/<int:conversion_id>/": LOOK,
    "settings/tokens/<uuid:token_id>/revoke/": {"POST": LEADS},
    "settings/webhooks/<uuid:endpoint_id>/": LOOK,
    "settings/webhooks/<uuid:endpoint_id>/edit/": {"GET": BUILDERS, "POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/disable/": {"POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/enable/": {"POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/delete/": {"POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/rotate/": {"POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/test/": {"POST": BUILDERS},
    "settings/webhooks/<uuid:endpoint_id>/replay/": {"POST": BUILDERS},
    "settings/webhooks/deliveries/<uuid:delivery_id>/": LOOK,
    "settings/webhooks/deliveries/<uuid:delivery_id>/state/": LOOK,
    "settings/webhooks/deliveries/<uuid:delivery_id>/replay/": {"POST": BUILDERS},
    "team/invitations/<uuid:invitation_id>/resend/": {"POST": LEADS},
    "team/invitations/<uuid:invitation_id>/withdraw/": {"POST": LEADS},
    "team/members/<int:member_id>/role/": {"POST": LEADS},
    "team/members/<int:member_id>/remove/": {"POST": LEADS},
    "team/members/<int:member_id>/transfer/": {"POST": OWNER},
    "tenants/switch/": {"POST": TEAM},
}

API: Mapping[str, Row] = {
    "api/v1/keys/": {"GET": TEAM, "POST": BUILDERS},
    "api/v1/usage/": LOOK,
    "api/v1/alerts/": LOOK,
    "api/v1/alerts/settings/": {"GET": TEAM, "PATCH": BUYERS},
    "api/v1/alerts/mails/": {"GET": TEAM, "PUT": TEAM},
    "api/v1/organisation/": {"GET": TEAM, "PATCH": LEADS},
    "api/v1/members/": LOOK,
    "api/v1/audit/": {"GET": LEADS},
    "api/v1/invitations/": {"GET": TEAM, "POST": LEADS},
    "api/v1/plan/": {"GET": TEAM, "PUT": BUYERS},
    "api/v1/plan/keep/": {"POST": BUYERS},
    "api/v1/plans/": LOOK,
    "api/v1/plans/<slug:code>/offer/": LOOK,
    "api/v1/extensions/": {"GET": TEAM, "POST": BUYERS},
    "api/v1/packs/": LOOK,
    "api/v1/spending-cap/": {"GET": TEAM, "PUT": BUYERS, "DELETE": BUYERS},
    "api/v1/top-up/": {"GET": TEAM, "PUT": BUYERS, "DELETE": BUYERS},
    "api/v1/invoices/": LOOK,
    "api/v1/uploads/": {"GET": TEAM, "POST": BUILDERS},
    "api/v1/tokens/": {"GET": TEAM, "POST": TEAM},
    "api/v1/webhooks/": {"GET": TEAM, "POST": BUILDERS},
}
API_THINGS: Mapping[str, Row] = {
    "api/v1/alerts/<uuid:alert_id>/seen/": {"POST": TEAM},
    "api/v1/members/<int:member_id>/": {"PATCH": LEADS, "DELETE": LEADS},
    "api/v1/invitations/<uuid:invitation_id>/": {"DELETE": LEADS},
    "api/v1/keys/<uuid:key_id>/": {"GET": TEAM, "PUT": BUILDERS},
    "api/v1/keys/<uuid:key_id>/rotate/": {"POST": BUILDERS},
    "api/v1/keys/<uuid:key_id>/end-old/": {"POST": BUILDERS},
    "api/v1/keys/<uuid:key_id>/retry/": {"POST": BUILDERS},
    "api/v1/keys/<uuid:key_id>/revoke/": {"POST": BUILDERS},
    "api/v1/orders/<uuid:order_id>/": LOOK,
    "api/v1/orders/<uuid:order_id>/give-back/": {"POST": BUYERS},
    "api/v1/invoices/<str:number>/": LOOK,
    "api/v1/invoices/<str:number>/pdf/": LOOK,
    "api/v1/tokens/<uuid:token_id>/": {"DELETE": LEADS},
    "api/v1/uploads/<uuid:upload_id>/": {"GET": TEAM, "DELETE": BUILDERS},
    "api/v1/uploads/<uuid:upload_id>/restore/": {"POST": BUILDERS},
    "api/v1/uploads/<uuid:upload_id>/retry/": {"POST": BUILDERS},
    "api/v1/webhooks/<uuid:endpoint_id>/": {"GET": TEAM, "PUT": BUILDERS, "DELETE": BUILDERS},
    "api/v1/webhooks/<uuid:endpoint_id>/rotate/": {"POST": BUILDERS},
    "api/v1/webhooks/<uuid:endpoint_id>/test/": {"POST": BUILDERS},
    "api/v1/webhooks/<uuid:endpoint_id>/replay/": {"POST": BUILDERS},
    "api/v1/webhooks/<uuid:endpoint_id>/deliveries/": LOOK,
    "api/v1/webhooks/deliveries/<uuid:delivery_id>/": LOOK,
    "api/v1/webhooks/deliveries/<uuid:delivery_id>/replay/": {"POST": BUILDERS},
}

# Whether it is there is known only once it is made.
WITHOUT_HEAD = frozenset({"uploads/archive.zip"})

# Nothing is there: 401 for whoever is not signed in, 404 for all others, by any method.
NOTHING = frozenset({"^api/v1/"})

# What others wrote, by the beginning of the route, and for whom it is.
OPERATORS = "admin/"  # nobody but operators gets beyond the admin's login
LIBRARIES = ("accounts/", "api/schema/", "i18n/")  # for everybody; they know of no tenants

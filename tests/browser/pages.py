"""The pages that there are: `make screenshots` photographs them, and test_pages.py tries each."""

ANYBODY = (
    "/",
    "/plans/",
    "/docs/",
    "/api/docs/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
)
MEMBERS = (
    "/dashboard/",
    "/alerts/",
    "/keys/",
    "/usage/",
    "/usage/?meter=conversions",
    "/billing/",
    "/billing/plan/",
    "/billing/plan/pro/",
    "/billing/extensions/",
    "/billing/invoices/",
    "/billing/details/",
    "/uploads/",
    "/team/",
    "/settings/",
    "/settings/alerts/",
    "/settings/tokens/",
    "/settings/webhooks/",
    "/settings/webhooks/create/",
    "/settings/webhooks/events/",
    "/settings/security/",
    "/settings/security/delete/",
    "/settings/audit/",
    "/settings/audit/?part=keys&start=2020-01-01&end=2020-01-02",
    "/settings/delete/",
    "/tenants/new/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/add/",
    "/docs/#/Account/ping",
)
# Those of MEMBERS that say something else to whoever has just signed up.
SIGNED_UP = (
    "/dashboard/",
    "/alerts/",
    "/usage/",
    "/billing/",
    "/billing/invoices/",
    "/uploads/",
    "/settings/tokens/",
    "/settings/webhooks/",
    "/settings/security/",
    "/accounts/email/",
)
# Pages of one thing, by their routes: a page that links to one, and the link.
LINKED = {
    "billing/invoices/<str:number>/pay/": ("/billing/invoices/", "a[href$='/pay/']"),
    "settings/webhooks/<uuid:endpoint_id>/": ("/settings/webhooks/", "tbody th a"),
    "settings/webhooks/<uuid:endpoint_id>/edit/": (
        "settings/webhooks/<uuid:endpoint_id>/",
        "a[href$='/edit/']",
    ),
    "settings/webhooks/deliveries/<uuid:delivery_id>/": (
        "settings/webhooks/<uuid:endpoint_id>/",
        "a[href*='/deliveries/']",
    ),
}
# Pages that only a mail leads to, by their routes: the link in it, as a pattern.
MAILED = {"alerts/unsubscribe/<str:unsubscribe_token>/": r"http\S+/alerts/unsubscribe/[\w:-]+/"}
OPERATORS = (
    "/admin/",
    "/admin/reports/",
    "/admin/reports/revenue/",
    "/admin/reports/mrr/",
    "/admin/reports/ageing/",
    "/admin/reports/cost/",
    "/admin/tenants/tenant/",
    "/admin/tenants/usageplan/",
    "/admin/tenants/livemeter/",
    "/admin/tenants/liveday/",
    "/admin/conversions/preset/",
    "/admin/conversions/preset/1/change/",
    "/admin/conversions/remake/",
    "/admin/conversions/remake/begin/?preset=1",
    "/admin/conversions/upload/",
    "/admin/conversions/retention/",
    "/admin/auth/group/add/",
    "/admin/django_celery_beat/periodictask/",
    "/admin/django_celery_beat/periodictask/add/",
)

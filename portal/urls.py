"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

import billing.admin_reports
import billing.api
import billing.api_controls
import billing.api_extensions
import billing.api_orders
import billing.api_plan
import billing.api_plans
import conversions.api
import conversions.api_upload
import tenants.api
import tenants.api_alerts
import tenants.api_audit
import tenants.api_organisation
import tenants.api_team
import tenants.api_tokens
import tenants.api_usage
import tenants.api_webhook_log
import tenants.api_webhooks
from portal import oidc
from portal.accounts import SignUpView
from portal.views import (
    account,
    alerts,
    audit,
    billing_details,
    billing_plan,
    cards,
    dashboard,
    docs,
    export,
    extensions,
    invitations,
    keys,
    leaving,
    live,
    organisation,
    organisation_new,
    pay,
    public,
    security,
    spending,
    team,
    tokens,
    uploads,
    usage,
    usage_csv,
    webhook_endpoints,
    webhook_log,
    webhooks,
)
from portal.views import billing as billing_pages
from portal.views.api import NothingView

urlpatterns = [
    path("", include(public.urlpatterns)),
    path("", include(dashboard.urlpatterns)),
    path("", include(usage.urlpatterns)),
    path("", include(usage_csv.urlpatterns)),
    path("", include(alerts.urlpatterns)),
    path("", include(live.urlpatterns)),
    path("", include(keys.urlpatterns)),
    path("", include(billing_pages.urlpatterns)),
    path("", include(billing_details.urlpatterns)),
    path("", include(billing_plan.urlpatterns)),
    path("", include(cards.urlpatterns)),
    path("", include(extensions.urlpatterns)),
    path("", include(spending.urlpatterns)),
    path("", include(pay.urlpatterns)),
    path("", include(uploads.urlpatterns)),
    path("", include(organisation.urlpatterns)),
    path("", include(organisation_new.urlpatterns)),
    path("", include(export.urlpatterns)),
    path("", include(leaving.urlpatterns)),
    path("", include(security.urlpatterns)),
    path("", include(account.urlpatterns)),
    path("", include(audit.urlpatterns)),
    path("", include(tokens.urlpatterns)),
    path("", include(webhook_endpoints.urlpatterns)),
    path("", include(webhook_log.urlpatterns)),
    path("", include(team.urlpatterns)),
    path("", include(invitations.urlpatterns)),
    path("", include(webhooks.urlpatterns)),
    path("", include(docs.urlpatterns)),
    path("api/v1/", include(tenants.api.urlpatterns)),
    path("api/v1/", include(tenants.api_alerts.urlpatterns)),
    path("api/v1/", include(tenants.api_audit.urlpatterns)),
    path("api/v1/", include(tenants.api_organisation.urlpatterns)),
    path("api/v1/", include(tenants.api_team.urlpatterns)),
    path("api/v1/", include(tenants.api_tokens.urlpatterns)),
    path("api/v1/", include(tenants.api_usage.urlpatterns)),
    path("api/v1/", include(tenants.api_webhooks.urlpatterns)),
    path("api/v1/", include(tenants.api_webhook_log.urlpatterns)),
    path("api/v1/", include(billing.api.urlpatterns)),
    path("api/v1/", include(billing.api_controls.urlpatterns)),
    path("api/v1/", include(billing.api_extensions.urlpatterns)),
    path("api/v1/", include(billing.api_orders.urlpatterns)),
    path("api/v1/", include(billing.api_plan.urlpatterns)),
    path("api/v1/", include(billing.api_plans.urlpatterns)),
    path("api/v1/", include(conversions.api.urlpatterns)),
    path("api/v1/", include(conversions.api_upload.urlpatterns)),
    re_path("^api/v1/", NothingView.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("accounts/signup/", SignUpView.as_view(), name="account_signup"),
    path("", include(oidc.urlpatterns)),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/reports/", include(billing.admin_reports.urlpatterns)),
    path("admin/", admin.site.urls),
]

handler500 = "portal.views.api.server_error"

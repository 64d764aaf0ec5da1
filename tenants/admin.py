"""The operator's view of tenants. Actions call services; nothing here decides anything."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from tenants import selectors, services
from tenants.admin_alerts import AlertAdmin, AlertSettingsAdmin  # noqa: F401  (they register)
from tenants.admin_drift import GatewayDriftAdmin  # noqa: F401  (it registers)
from tenants.admin_leaving import keep, leave
from tenants.admin_live import LiveDayAdmin, LiveMeterAdmin  # noqa: F401  (they register)
from tenants.admin_mails import MailAdmin  # noqa: F401  (it registers)
from tenants.admin_people import InvitationAdmin, UserAdmin  # noqa: F401  (they register)
from tenants.admin_tokens import ApiTokenAdmin  # noqa: F401
from tenants.admin_tools import ReadOnly, ask, is_answered, operator
from tenants.admin_webhooks import (  # noqa: F401  (likewise)
    WebhookDeliveryAdmin,
    WebhookEndpointAdmin,
)
from tenants.models import (
    ApiKeyVersion,
    AuditEntry,
    Entitlement,
    GatewayPlan,
    Hold,
    HoldReason,
    Lease,
    Member,
    MethodLimit,
    QuotaGrant,
    Tenant,
    UsageDay,
    UsagePlan,
)
from tenants.services.reconciling import reconcile_request

METHOD_FIELDS = ("method", "path", "rate_limit", "burst_limit")


class MemberInline(ReadOnly, TabularInline):
    model = Member
    extra = 0


class HoldInline(ReadOnly, TabularInline):
    model = Hold
    extra = 0


class StopForm(forms.Form):
    """Why an operator stops a tenant."""

    note = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Shown to the tenant."),
    )


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):
    list_display = ["name", "usage_plan", "state", "used_this_period", "problem", "created_at"]
    list_filter = ["state", "usage_plan"]
    search_fields = ["name", "uuid", "members__user__email"]
    date_hierarchy = "created_at"
    inlines = [MemberInline, HoldInline]
    actions = ["stop", "resume", "reconcile", leave, keep]
    fields = [
        "name", "uuid", "state", "closes_at", "language", "usage_plan", "created_at",
        "used_this_period", "links", "reconcile_at", "reconcile_attempts", "reconcile_error",
    ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if name not in {"name", "language"}]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        services.tenant_update(
            tenant=obj,
            name=obj.name,
            language=obj.language,
            actor=operator(request),
            now=timezone.now(),
        )

    @admin.display(description=_("used this period"))
    def used_this_period(self, tenant: Tenant) -> str:
        usage = selectors.usage_now(tenant=tenant, now=timezone.now())
        limit = gettext("unlimited") if usage.unlimited else f"{usage.limit:,}"
        return f"{usage.used_period:,} / {limit}"

    @admin.display(description=_("in step"), boolean=True)
    def problem(self, tenant: Tenant) -> bool:
        return not tenant.reconcile_error

    @admin.display(description=_("see also"))
    def links(self, tenant: Tenant) -> str:
        pages = [
            (_("keys"), reverse("admin:tenants_apikeyversion_changelist")),
            (_("usage"), reverse("admin:tenants_usageday_changelist")),
            (_("live figures"), reverse("admin:tenants_liveday_changelist")),
            (_("invoices"), reverse("admin:billing_invoice_changelist")),
            (_("uploads"), reverse("admin:conversions_upload_changelist")),
        ]
        parts = [
            format_html('<a href="{}?q={}">{}</a>', url, tenant.uuid, text) for text, url in pages
        ]
        return format_html(" · ".join(["{}"] * len(parts)), *parts)

    @admin.action(description=_("Stop all calls (operator's hold)"), permissions=["change"])
    def stop(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> TemplateResponse | None:
        """Ask for the reason, which the tenants are shown, then stop them."""
        form = StopForm(request.POST if is_answered(request) else None)
        if not form.is_valid():
            return ask(
                self,
                request,
                form=form,
                title=gettext("Stop all calls (operator's hold)"),
                explanation=gettext("No key of theirs passes until the hold is lifted."),
            )
        for tenant in tenants:
            services.hold_place(
                tenant=tenant,
                reason=HoldReason.OPERATOR,
                note=form.cleaned_data["note"],
                actor=operator(request),
                now=timezone.now(),
            )
        self._say(
            request,
            len(tenants),
            ngettext("%d tenant stopped.", "%d tenants stopped.", len(tenants)),
        )
        return None

    @admin.action(description=_("Lift the operator's hold"), permissions=["change"])
    def resume(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        lifted = sum(
            services.hold_lift(
                tenant=tenant,
                reason=HoldReason.OPERATOR,
                actor=operator(request),
                now=timezone.now(),
            )
            for tenant in tenants
        )
        self._say(request, lifted, ngettext("%d hold lifted.", "%d holds lifted.", lifted))

    @admin.action(description=_("Compare with the gateway now"), permissions=["change"])
    def reconcile(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        for tenant in tenants:
            reconcile_request(tenant=tenant, now=timezone.now())
        self._say(
            request, len(tenants), ngettext("%d tenant queued.", "%d tenants queued.", len(tenants))
        )

    def _say(self, request: HttpRequest, count: int, text: str) -> None:
        self.message_user(request, text % count, messages.SUCCESS)


class MethodLimitInline(TabularInline):
    model = MethodLimit
    extra = 0


class GatewayPlanInline(ReadOnly, TabularInline):
    model = GatewayPlan
    extra = 0
    fields = [
        "slot", "gateway_id", "applied_rate_limit", "applied_burst_limit", "applied_quota_limit",
        "applied_at", "read_at", "error",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(UsagePlan)
class UsagePlanAdmin(ModelAdmin):
    """Throttle and quota. A saved change reaches the gateway within seconds."""

    list_display = [
        "name", "code", "rate_limit", "burst_limit", "quota_limit", "quota_period", "most_keys",
        "tenant_count",
    ]  # fmt: skip
    search_fields = ["name", "code"]
    list_filter = ["quota_period", "is_unlimited"]
    inlines = [MethodLimitInline, GatewayPlanInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "quota_period"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: UsagePlan, form: Any, change: bool) -> None:
        services.usage_plan_save(usage_plan=obj, actor=operator(request), now=timezone.now())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is MethodLimit and formset.has_changed():
            limits = [
                MethodLimit(**{name: each.cleaned_data[name] for name in METHOD_FIELDS})
                for each in formset.forms
                if each.cleaned_data and not each.cleaned_data.get("DELETE")
            ]
            services.usage_plan_save(
                usage_plan=formset.instance,
                method_limits=limits,
                actor=operator(request),
                now=timezone.now(),
            )
        formset.new_objects = formset.changed_objects = formset.deleted_objects = []

    @admin.display(description=_("tenants"))
    def tenant_count(self, usage_plan: UsagePlan) -> str:
        url = reverse("admin:tenants_tenant_changelist")
        count = Tenant.objects.filter(usage_plan=usage_plan).count()
        return format_html(
            '<a href="{}?usage_plan__id__exact={}">{}</a>', url, usage_plan.pk, count
        )


@admin.register(ApiKeyVersion)
class ApiKeyVersionAdmin(ReadOnly, ModelAdmin):
    list_display = ["api_key", "last_four", "tenant", "status", "slot", "is_enabled", "created_at"]
    list_filter = ["status", "slot", "is_enabled"]
    search_fields = ["api_key__tenant__uuid", "api_key__tenant__name", "api_key__name", "last_four",
                     "gateway_id"]  # fmt: skip
    list_select_related = ["api_key__tenant"]
    exclude = ["value_digest"]

    @admin.display(description=_("tenant"))
    def tenant(self, version: ApiKeyVersion) -> str:
        tenant = version.api_key.tenant
        url = reverse("admin:tenants_tenant_change", args=[tenant.pk])
        return format_html('<a href="{}">{}</a>', url, tenant)


@admin.register(UsageDay)
class UsageDayAdmin(ReadOnly, ModelAdmin):
    list_display = ["day", "tenant", "version", "meter", "used", "remaining", "read_at"]
    list_filter = ["meter", "day"]
    search_fields = ["tenant__uuid", "tenant__name"]
    list_select_related = ["tenant", "version__api_key"]
    date_hierarchy = "day"


class LeaseInline(ReadOnly, TabularInline):
    model = Lease
    extra = 0
    fields = [
        "version", "gateway_plan", "limit_requests", "pending_limit", "seen_used",
        "seen_remaining", "seen_at", "live_used", "live_at", "is_owed",
    ]  # fmt: skip


class QuotaGrantInline(ReadOnly, TabularInline):
    model = QuotaGrant
    extra = 0


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnly, ModelAdmin):
    list_display = ["tenant", "period_start", "plan_requests", "granted_requests", "cap_requests"]
    search_fields = ["tenant__uuid", "tenant__name"]
    list_select_related = ["tenant"]
    date_hierarchy = "period_start"
    inlines = [QuotaGrantInline, LeaseInline]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, ModelAdmin):
    list_display = ["at", "action", "tenant", "actor_kind", "actor", "target", "address"]
    list_filter = ["actor_kind", "action"]
    search_fields = ["tenant__uuid", "tenant__name", "actor__email", "target"]
    list_select_related = ["tenant", "actor"]
    date_hierarchy = "at"

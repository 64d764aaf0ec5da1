"""The operator at work: every list opens, and what is saved reaches the gateway."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import Group, Permission
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from unfold.admin import ModelAdmin

import billing.services
import conversions.services
from billing.models import Plan, PriceVersion
from tenants import gateway
from tenants.models import GatewayPlan, Hold, HoldReason, Tenant, UsagePlan, User
from tenants.services import hold_place, mirrors
from tests.cast import PASSWORD, Cast
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
OURS = ("tenants", "billing", "conversions")


@pytest.fixture
def operator(cast: Cast) -> Client:
    billing.services.seed(now=timezone.now())
    conversions.services.presets_seed(now=timezone.now())
    User.objects.create_superuser("operator@example.com", PASSWORD)
    client = Client()
    assert client.login(email="operator@example.com", password=PASSWORD)
    return client


def test_every_list_and_search_and_one_row_of_it_open(operator: Client) -> None:
    for model, site in admin.site._registry.items():
        if model._meta.app_label not in OURS:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert operator.get(reverse(f"{name}_changelist")).status_code == 200, name
        if site.search_fields:
            found = operator.get(reverse(f"{name}_changelist"), {"q": "a"})
            assert found.status_code == 200, name
        row = model._default_manager.first()
        if row is not None:
            page = operator.get(reverse(f"{name}_change", args=[row.pk]))
            assert page.status_code == 200, name


def test_what_libraries_bring_has_the_admins_style(operator: Client) -> None:
    assert [
        model for model, site in admin.site._registry.items() if not isinstance(site, ModelAdmin)
    ] == []
    for name in ("auth_group", "account_emailaddress", "django_celery_beat_periodictask"):
        assert operator.get(reverse(f"admin:{name}_changelist")).status_code == 200, name
        assert operator.get(reverse(f"admin:{name}_add")).status_code == 200, name
    of = {"app_label": "auth", "model_name": "group", "field_name": "permissions", "term": "refund"}
    found = operator.get(reverse("admin:autocomplete"), of).json()["results"]
    assert [row["text"] for row in found if "Can add refund" in row["text"]]


def test_what_is_shown_of_a_row_has_a_name_in_every_language(rf: RequestFactory) -> None:
    """A field without a name of its own would have one made of Python's, in English for all."""
    request = rf.get("/")
    request.user = User(is_superuser=True, is_staff=True)
    nameless = []
    for model, site in admin.site._registry.items():
        if model._meta.app_label not in OURS:
            continue
        for page in (site, *site.get_inline_instances(request)):
            shown = {
                *flatten_fieldsets(page.get_fieldsets(request)),
                *getattr(page, "list_display", ()),
            }
            fields = {field.name: field for field in page.model._meta.concrete_fields}
            nameless += [
                str(fields[name])
                for name in shown & fields.keys()
                if not isinstance(fields[name].verbose_name, Promise)
            ]
    assert nameless == []


def test_a_tenant_is_no_operator(cast: Cast, client: Client) -> None:
    client.login(email="alice@example.com", password=PASSWORD)
    assert client.get("/admin/").status_code == 302


def _form(page: Any) -> dict[str, Any]:
    """Return what a browser would send back of an admin page without touching it."""
    adminform = page.context["adminform"].form
    data = {}
    for field in adminform:
        value = field.value()
        data[field.html_name] = "" if value is None or value is False else value
    for formset in page.context["inline_admin_formsets"]:
        for field in formset.formset.management_form:
            data[field.html_name] = field.value()
    return data


def test_a_plans_new_rate_reaches_the_gateway(
    operator: Client, gateway_api: str, run_tasks: RunTasks
) -> None:
    plan = UsagePlan.objects.get(code="starter")
    mirrors.mirrors_apply(usage_plan=plan, now=timezone.now())
    address = reverse("admin:tenants_usageplan_change", args=[plan.pk])
    form = _form(operator.get(address))
    assert operator.post(address, {**form, "rate_limit": "7"}).status_code == 302
    run_tasks()
    for mirror in GatewayPlan.objects.filter(usage_plan=plan):
        found = gateway.usage_plan_find(name=mirror.gateway_name)
        assert found is not None
        assert found.rate_limit == 7
        assert mirror.applied_rate_limit == 7


def test_a_limit_of_a_method_reaches_the_gateway(
    operator: Client, gateway_api: str, run_tasks: RunTasks
) -> None:
    plan = UsagePlan.objects.get(code="starter")
    address = reverse("admin:tenants_usageplan_change", args=[plan.pk])
    row = {"method": "POST", "path": "/v1/jobs", "rate_limit": "2", "burst_limit": "4"}
    more = {f"method_limits-0-{name}": value for name, value in row.items()}
    form = {**_form(operator.get(address)), **more, "method_limits-TOTAL_FORMS": "1"}
    assert operator.post(address, {**form, "method_limits-0-path": "jobs"}).status_code == 200
    assert operator.post(address, form).status_code == 302
    run_tasks()
    for mirror in GatewayPlan.objects.filter(usage_plan=plan):
        found = gateway.usage_plan_find(name=mirror.gateway_name)
        assert found is not None
        assert list(found.stages.values()) == [{"/v1/jobs/POST": gateway.Throttle(2, 4)}]
    limit = plan.method_limits.get()
    kept = {"id": str(limit.pk), "usage_plan": str(plan.pk), "DELETE": "on"}
    gone = {f"method_limits-0-{name}": value for name, value in kept.items()}
    form = {**_form(operator.get(address)), **more, **gone}
    assert operator.post(address, form).status_code == 302
    assert not plan.method_limits.exists()


def test_a_rate_out_of_range_is_told_and_not_saved(operator: Client) -> None:
    plan = UsagePlan.objects.get(code="starter")
    address = reverse("admin:tenants_usageplan_change", args=[plan.pk])
    page = operator.post(address, {**_form(operator.get(address)), "rate_limit": "-1"})
    assert page.status_code == 200
    plan.refresh_from_db()
    assert plan.rate_limit == 20


def test_a_new_price_is_a_new_version(operator: Client) -> None:
    plan = Plan.objects.get(code="starter")
    address = reverse("admin:billing_plan_change", args=[plan.pk])
    form = _form(operator.get(address))
    more = {"new_currency": "USD", "new_monthly_fee": "3900"}
    assert operator.post(address, {**form, **more}).status_code == 302
    fees = PriceVersion.objects.filter(plan=plan, currency="USD").order_by("number")
    assert [price.monthly_fee for price in fees] == [29_00, 39_00]


def test_stopping_a_tenant_asks_for_the_reason_which_the_tenant_is_shown(
    operator: Client, cast: Cast
) -> None:
    address = reverse("admin:tenants_tenant_changelist")
    chosen = {"action": "stop", "_selected_action": [cast.alice_corp.pk]}
    assert "Reason" in operator.post(address, chosen).content.decode()
    assert operator.post(address, {**chosen, "answered": "yes", "note": ""}).status_code == 200
    assert not Hold.objects.exists()
    operator.post(address, {**chosen, "answered": "yes", "note": "Stolen cards"})
    assert Hold.objects.get(lifted_at=None).reason == HoldReason.OPERATOR
    member = Client()
    member.force_login(cast.alice)
    for page in ("dashboard", "billing"):
        assert "Stolen cards" in member.get(reverse(page)).content.decode()
    operator.post(address, {**chosen, "action": "resume"})
    assert not Hold.objects.filter(lifted_at=None).exists()


def test_who_may_only_view_tenants_neither_stops_nor_resumes_them(cast: Cast) -> None:
    held, free = cast.alice_corp, cast.charlie_corp
    hold_place(tenant=held, reason=HoldReason.OPERATOR, note="x", now=timezone.now())
    before = list(Tenant.objects.values_list("pk", "reconcile_revision"))
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_tenant"))
    viewer, address = Client(), reverse("admin:tenants_tenant_changelist")
    viewer.force_login(clerk)
    assert "Alice Corp" in viewer.get(address).content.decode()
    for action, tenant in (("stop", free), ("resume", held), ("reconcile", free)):
        chosen = {"action": action, "_selected_action": [tenant.pk], "answered": "yes", "note": "y"}
        viewer.post(address, chosen)
    assert Hold.objects.get(lifted_at=None).tenant == held
    assert list(Tenant.objects.values_list("pk", "reconcile_revision")) == before


def test_who_may_change_people_makes_no_operators_nor_takes_one_over(
    cast: Cast, admin_user: User
) -> None:
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__endswith="_user"))
    client = Client()
    client.force_login(clerk)

    def change(user: User, **fields: str) -> User:
        address = reverse("admin:tenants_user_change", args=[user.pk])
        form = {"email": user.email, "language": "en", "is_active": "on", **fields}
        client.post(address, form)
        user.refresh_from_db()
        return user

    rights = {"is_staff": "on", "is_superuser": "on"}
    assert change(cast.bob, email="robert@example.com", **rights).email == "robert@example.com"
    for user in (cast.bob, change(clerk, **rights)):
        assert not user.is_superuser
    assert not cast.bob.is_staff
    assert change(admin_user, email="mine@example.com").email == "admin@example.com"
    client.force_login(admin_user)
    assert change(cast.bob, **rights).is_superuser


def test_nobody_comes_in_as_an_operator_who_may_do_more(cast: Cast, admin_user: User) -> None:
    """By another address of theirs, a connection, the loss of a factor; or by a group's rights."""
    clerk = User.objects.create_user("clerk@example.com", PASSWORD, is_staff=True)
    group = Group.objects.create(name="clerks")
    rows: dict[str, list[Any]] = {"auth_group": [group]}
    for user in (admin_user, cast.bob):
        for name, row in (
            ("account_emailaddress", EmailAddress(user=user, email=user.email)),
            ("mfa_authenticator", Authenticator(user=user, type="totp", data={})),
            ("socialaccount_socialaccount", SocialAccount(user=user, provider="o", uid=user.email)),
        ):
            row.save()
            rows.setdefault(name, []).append(row)
    codes = [f"{act}_{name.split('_')[1]}" for name in rows for act in ("change", "delete", "add")]
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codes))
    client = Client()

    def allowed(user: User) -> set[str]:
        client.force_login(user)
        found = set()
        for name, of_model in rows.items():
            if client.get(reverse(f"admin:{name}_add")).status_code == 200:
                found.add(f"add {name}")
            for row in of_model:
                of_whom = getattr(row, "user", row)
                if client.get(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 200:
                    found.add(f"delete {name} of {of_whom}")
        return found

    assert allowed(clerk) == {
        f"delete {name} of {cast.bob}" for name in rows if name != "auth_group"
    }
    assert len(allowed(admin_user)) == 3 + 6 + 1
    address = rows["account_emailaddress"][0]
    client.force_login(clerk)
    page = reverse("admin:account_emailaddress_change", args=[address.pk])
    assert client.post(page, {"user": admin_user.pk, "email": "c@example.com"}).status_code == 403


def test_what_is_only_shown_is_shown_as_money(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User(is_superuser=True, is_staff=True)
    raw = []
    for model, site in admin.site._registry.items():
        if model._meta.app_label != "billing":
            continue
        for page in (site, *site.get_inline_instances(request)):
            if page.has_change_permission(request):
                continue
            shown = flatten_fieldsets(page.get_fieldsets(request))
            raw += [
                str(field)
                for field in page.model._meta.concrete_fields
                if field.name in shown and "minor units" in str(field.verbose_name)
            ]
    assert raw == []

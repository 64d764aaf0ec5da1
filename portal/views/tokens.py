"""Tokens for the management API: list, create, revoke. A value is in the answer to its creation.

It is nowhere else, not even between two requests: the page that created a token is not redirected.
"""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.views.access import TenantRequest, tenant_required
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import ApiToken, Member
from tenants.permissions import Act, may
from tenants.recent import demand_recently_authenticated
from tenants.scopes import Scope, scopes_named, scopes_of
from tenants.services.tokens import USUAL_DAYS

NEVER = "never"


class ApiTokenForm(forms.Form):
    """Name a new token, and say what it may do and for how long."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("For example: nightly report."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("It acts as"),
        choices=[
            ("personal", gettext_lazy("Me, while I am a member, and as my role allows")),
            ("machine", gettext_lazy("The organisation, whoever leaves it")),
        ],
        initial="personal",
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), widget=forms.CheckboxSelectMultiple
    )
    expiry = forms.ChoiceField(
        label=gettext_lazy("It works for"),
        choices=[
            ("30", gettext_lazy("30 days")),
            ("90", gettext_lazy("90 days")),
            ("365", gettext_lazy("One year")),
            (NEVER, gettext_lazy("Until it is revoked")),
        ],
        initial=str(USUAL_DAYS),
    )

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        theirs = scopes_of(member)
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (scope.value, f"{scope.label} ({scope.value})") for scope in Scope if scope in theirs
        ]
        if not may(member, Act.CHANGE_TOKENS):
            del self.fields["kind"]

    @property
    def days(self) -> int | None:
        expiry = self.cleaned_data["expiry"]
        return None if expiry == NEVER else int(expiry)


def _may_revoke(member: Member, token: ApiToken) -> bool:
    """Say whether it is the member's own token, or their role is over everybody's."""
    return token.user_id == member.user_id or may(member, Act.CHANGE_TOKENS)


def _page(
    request: TenantRequest, form: ApiTokenForm, *, value: str = "", status: int = 200
) -> HttpResponse:
    now = timezone.now()
    tokens = [
        {
            "token": token,
            "scopes": [scope.value for scope in Scope if scope in scopes_named(token.scopes)],
            "may_revoke": _may_revoke(request.member, token),
        }
        for token in selectors.api_tokens(tenant=request.member.tenant, now=now)
    ]
    context = {"nav": "settings", "tokens": tokens, "form": form, "new_value": value}
    return render(request, "portal/tokens.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@tenant_required
def tokens(request: TenantRequest) -> HttpResponse:
    """List the tokens; create one, and show its value."""
    member = request.member
    if request.method != "POST":
        return _page(request, ApiTokenForm(member=member))
    form = ApiTokenForm(request.POST, member=member)
    if not form.is_valid():
        return _page(request, form, status=400)
    demand_recently_authenticated(request)
    asked = form.cleaned_data
    try:
        _token, value = services.api_token_create(
            tenant=member.tenant,
            user=None if asked.get("kind") == "machine" else request.user,
            name=asked["name"],
            scopes=scopes_named(asked["scopes"]),
            days=form.days,
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form, status=400)
    return _page(request, ApiTokenForm(member=member), value=value, status=201)


@require_POST
@tenant_required
def token_revoke(request: TenantRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken, tenant=request.member.tenant, uuid=token_id)
    if not _may_revoke(request.member, token):
        raise PermissionDenied
    services.api_token_revoke(token=token, actor=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” was revoked.") % {"name": token.name})
    return redirect("tokens")


urlpatterns = [
    path("settings/tokens/", tokens, name="tokens"),
    path("settings/tokens/<uuid:token_id>/revoke/", token_revoke, name="token-revoke"),
]

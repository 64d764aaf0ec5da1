"""API tokens of Alice's tenant, and who calls the management API with them."""

from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from tenants.models import ApiToken, Member
from tenants.scopes import Scope, scopes_of
from tenants.services import api_token_create
from tests.cast import Cast


def token_of(
    cast: Cast, *scopes: Scope, user: Any = None, days: int | None = 90
) -> tuple[ApiToken, str]:
    """Return a token, and its value: a machine's where `user` is None."""
    maker = Member.objects.get(user=user or cast.alice)
    return api_token_create(
        tenant=cast.alice_corp, user=user, name="nightly", scopes=scopes or scopes_of(maker),
        days=days, actor=maker.user, now=timezone.now(),
    )  # fmt: skip


def bearer(value: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client

"""Invitations, as they come by mail."""

from django.utils import timezone

from tenants import services
from tenants.invitation_tokens import token_of
from tenants.models import Role
from tests.cast import Cast

DAVE = "dave@example.com"


def invite(cast: Cast, email: str = DAVE) -> str:
    """Invite a developer; return the link's address."""
    made = services.invitation_create(
        tenant=cast.alice_corp, email=email, role=Role.DEVELOPER, actor=cast.alice,
        now=timezone.now(),
    )  # fmt: skip
    return f"/invitations/{token_of(invitation_uuid=made.uuid, sendings=1)}/"

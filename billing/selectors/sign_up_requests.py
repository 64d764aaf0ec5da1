"""What somebody asked for who waits for an operator."""

from billing.models import SignUpRequest, SignUpState
from tenants.models import User


def sign_up_request_of(*, user: User) -> SignUpRequest | None:
    """Return a user's request that no tenant came of, waiting or refused."""
    undone = SignUpRequest.objects.exclude(state=SignUpState.APPROVED)
    return undone.select_related("plan").filter(user=user).first()

"""What somebody asked for who waits for an operator."""

from billing.models import SignUpRequest, SignUpState
from tenants.models import User


def sign_up_request_of(*, user: User) -> SignUpRequest | None:
    """Return a user's newest request, waiting or refused; None where a tenant came of it."""
    newest = SignUpRequest.objects.select_related("plan").filter(user=user).first()
    return None if newest is None or newest.state == SignUpState.APPROVED else newest

"""One client of Stripe's, and one way to call it: its errors become ours."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import stripe
from django.conf import settings

from billing.payments.errors import (
    AuthenticationNeeded,
    PaymentDeclined,
    PaymentRefused,
    PaymentUnavailable,
)

TIMEOUT = 10  # seconds; no page waits longer for Stripe


def stripe_client() -> stripe.StripeClient:
    """Return Stripe's client, made once per process."""
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@cache
def _client(secret_key: str, api_base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base},
        max_network_retries=1,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


def call(what: str, ask: Callable[[], Any]) -> Any:
    """Make one call and map Stripe's errors to ours."""
    try:
        return ask()
    except stripe.CardError as error:
        answer: Any = error.json_body or {}
        body = answer.get("error", {})
        intent = body.get("payment_intent") or {}
        kind = AuthenticationNeeded if error.code == "authentication_required" else PaymentDeclined
        raise kind(
            code=body.get("decline_code") or error.code or "card_declined",
            message=error.user_message or str(error),
            payment_intent_id=intent.get("id", ""),
        ) from error
    except (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        stripe.IdempotencyError,  # an earlier call under this key came through, and said otherwise
        stripe.AuthenticationError,  # our key is wrong, say rotated: nobody's card is to blame
        stripe.PermissionError,
    ) as error:
        raise PaymentUnavailable(f"{what}: {error}") from error
    except stripe.StripeError as error:
        if error.http_status is None or error.http_status >= 500 or error.http_status == 409:
            raise PaymentUnavailable(f"{what}: {error}") from error
        raise PaymentRefused(f"{what}: {error}", code=error.code or "") from error


def decline_of(error: Any) -> tuple[str, str]:
    """Return the code and the message of the error of a payment's last try; empty without one.

    Not every error has a decline code: a bank's question that was not answered has none, say.
    """
    if error is None:
        return "", ""
    code = getattr(error, "decline_code", None) or getattr(error, "code", None)
    return code or "", error.message or ""


def listed(what: str, ask: Callable[[], Any]) -> Iterator[Any]:
    """Yield all that a list of Stripe's has. Each page is a call, and fails as one does."""
    page = call(what, ask)
    yield from page.data
    while page.has_more:
        page = call(what, page.next_page)
        yield from page.data

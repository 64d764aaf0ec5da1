"""What can go wrong with a call: drawn in the package's docstring."""


class PaymentError(Exception):
    """A call failed. `retryable` says whether the same call may succeed later."""

    retryable = False


class PaymentUnavailable(PaymentError):
    """No answer, a server error, or our key is wrong: whether it happened is unknown."""

    retryable = True


class PaymentDeclined(PaymentError):
    """The bank declined. `code` is Stripe's decline code, `message` is for the cardholder."""

    def __init__(self, *, code: str, message: str, payment_intent_id: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.payment_intent_id = code, message, payment_intent_id


class AuthenticationNeeded(PaymentDeclined):
    """The bank wants the cardholder to confirm (3-D Secure)."""


class PaymentRefused(PaymentError):
    """Stripe refused the request itself. `code` is one of https://docs.stripe.com/error-codes."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class BadSignature(PaymentError):
    """The webhook was not signed by Stripe with our secret, or is too old."""

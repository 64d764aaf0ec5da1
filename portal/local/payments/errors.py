"""The errors that the API answers with, in Stripe's shape.

    ApiError              any refusal: status, type, code, param, message
    ├── InvalidParameter  the request itself is malformed; never remembered for its idempotency key
    └── CardError         402: the card said no. What was written on the way (the failed charge, the
                          intent's last error) stays written, unlike with every other error.

Shapes follow https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes.
"""

from typing import Any


class ApiError(Exception):
    """A refusal. Keyword arguments beyond the known ones become fields of the error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        doc_url = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}" if code else None
        fields = {"code": code, "doc_url": doc_url, "message": message, "param": param, **details}
        self.fields = {key: value for key, value in sorted(fields.items()) if value is not None}
        self.fields["type"] = type

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.fields}


class InvalidParameter(ApiError):
    """A parameter that is unknown, missing or malformed (400)."""

    def __init__(self, message: str, *, param: str, code: str | None = None) -> None:
        super().__init__(message, param=param, code=code)


class CardError(ApiError):
    """A decline (402). `fields` is also what an intent keeps as its last error."""

    def __init__(self, message: str, *, code: str, **details: Any) -> None:
        super().__init__(message, status=402, type="card_error", code=code, **details)


def missing(kind: str, id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No such object: 404 for one named by the address, 400 for one named by a parameter."""
    noun = kind.rpartition(".")[2].replace("_", " ")
    return ApiError(f"No such {noun}: '{id}'", status=status, code="resource_missing", param=param)

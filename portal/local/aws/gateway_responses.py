"""What a caller sees when API Gateway itself refuses: one row per gateway response type.

Statuses, messages and error types are API Gateway's:
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from dataclasses import dataclass

from portal.local.aws.wire import Response


@dataclass(frozen=True)
class GatewayResponse:
    """A refusal: its type, status, message, and what `x-amzn-ErrorType` says."""

    type: str
    status: int
    message: str
    error_type: str

    def response(self) -> Response:
        headers = [(b"x-amzn-ErrorType", self.error_type.encode())]
        return Response.of_json(self.status, {"message": self.message}, headers)


INVALID_API_KEY = GatewayResponse("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")
THROTTLED = GatewayResponse("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")
QUOTA_EXCEEDED = GatewayResponse("QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException")
MISSING_AUTHENTICATION_TOKEN = GatewayResponse(
    "MISSING_AUTHENTICATION_TOKEN",
    403,
    "Missing Authentication Token",
    "MissingAuthenticationTokenException",
)
REQUEST_TOO_LARGE = GatewayResponse(
    "REQUEST_TOO_LARGE",
    413,
    "HTTP content length exceeded 10485760 bytes.",
    "RequestEntityTooLargeException",
)
UNKNOWN_STAGE = GatewayResponse("DEFAULT_4XX", 403, "Forbidden", "ForbiddenException")

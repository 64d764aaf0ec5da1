"""What a caller sees when API Gateway itself refuses: one row per gateway response type.

Types and statuses are those of
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html;
messages and error types are what the service was seen to send.
"""

from dataclasses import dataclass

from portal.local.aws.wire import Response


@dataclass(frozen=True)
class GatewayResponse:
    """A refusal: its type, status, message, what `x-amzn-ErrorType` says, and, where a request is
    not valid, why."""

    type: str
    status: int
    message: str
    error_type: str
    validation_error: str | None = None

    def response(self) -> Response:
        """The answer of an API that customises nothing."""
        headers = [(b"x-amzn-ErrorType", self.error_type.encode())]
        return Response.of_json(self.status, {"message": self.message}, headers)


class Refused(Exception):
    """The gateway answers this call itself, with `response`: an integration cannot."""

    def __init__(self, response: GatewayResponse) -> None:
        super().__init__(response.type)
        self.response = response


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
BAD_REQUEST_PARAMETERS = GatewayResponse(
    "BAD_REQUEST_PARAMETERS", 400, "Invalid request parameters", "BadRequestException"
)
BAD_REQUEST_BODY = GatewayResponse(
    "BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException"
)
UNSUPPORTED_MEDIA_TYPE = GatewayResponse(
    "UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "BadRequestException"
)
# Nothing was deployed there, so nothing is customised: this one alone is never rendered.
UNKNOWN_STAGE = GatewayResponse("DEFAULT_4XX", 403, "Forbidden", "ForbiddenException")

_FAILED = "InternalServerErrorException"
# The backend cannot be reached, or was too slow.
INTEGRATION_FAILURE = GatewayResponse(
    "INTEGRATION_FAILURE", 504, "Network error communicating with endpoint", _FAILED
)
INTEGRATION_TIMEOUT = GatewayResponse(
    "INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", _FAILED
)
# The API was set up wrongly: no such function, no integration response for what the backend said.
API_CONFIGURATION_ERROR = GatewayResponse(
    "API_CONFIGURATION_ERROR", 500, "Internal server error", _FAILED
)
# The method asks for an authorizer, of which the local AWS has none.
AUTHORIZER_CONFIGURATION_ERROR = GatewayResponse(
    "AUTHORIZER_CONFIGURATION_ERROR",
    500,
    "Internal server error",
    "AuthorizerConfigurationException",
)
# A template failed, or something in here did.
INTERNAL_ERROR = GatewayResponse("DEFAULT_5XX", 500, "Internal server error", _FAILED)
# A function failed, or gave an answer that is no response.
BAD_GATEWAY = GatewayResponse("DEFAULT_5XX", 502, "Internal server error", _FAILED)

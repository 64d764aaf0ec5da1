"""AWS's refusals, in the shapes that boto3 turns into its exceptions.

REST-JSON services name the error in the `x-amzn-ErrorType` header and explain it in `message`.
Codes and statuses are those of botocore's `apigateway` model.

    ApiError
    ├── BadRequest      400 BadRequestException
    │   └── Unsupported
    ├── NotFound        404 NotFoundException
    ├── Conflict        409 ConflictException
    └── LimitExceeded   429 LimitExceededException
"""

from portal.local.aws.wire import Response


class ApiError(Exception):
    """A control-plane call that is refused."""

    status: int
    code: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def response(self) -> Response:
        headers = [(b"x-amzn-ErrorType", self.code.encode())]
        return Response.of_json(self.status, {"message": self.message}, headers)


class BadRequest(ApiError):
    status = 400
    code = "BadRequestException"


class Unsupported(BadRequest):
    """Something of API Gateway's that the local AWS has not. Every SDK knows this code."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not supported by the local AWS")


class NotFound(ApiError):
    status = 404
    code = "NotFoundException"


class Conflict(ApiError):
    status = 409
    code = "ConflictException"


class LimitExceeded(ApiError):
    status = 429
    code = "LimitExceededException"

"""What ministack keeps of APIs, read and written through its own control plane."""

import json
import re
from typing import Any

from portal.local.aws import upstream
from portal.local.aws.errors import ApiError
from portal.local.aws.wire import Request, Response

Json = dict[str, Any]

_SCOPED_REGION = re.compile(r"Credential=[^/,]*/\d+/([a-z0-9-]+)/")


class Passed(ApiError):
    """A refusal of ministack's, to be passed on as it is."""

    def __init__(self, answer: Response) -> None:
        super().__init__("")
        self._answer = answer

    def response(self) -> Response:
        return self._answer


async def ask(
    request: Request, method: str, path: str, document: Json | None = None, query: str = ""
) -> Json:
    """Call ministack's control plane in the region of a request. Raises Passed.

    `path` is percent-encoded.
    """
    scope = _SCOPED_REGION.search(request.header(b"authorization") or "")
    answer = await upstream.call(
        method,
        path,
        service="apigateway",
        region=scope[1] if scope else "us-east-1",
        query=query,
        body=b"" if document is None else json.dumps(document).encode(),
    )
    if answer.status >= 300:
        raise Passed(answer)
    found: Json = json.loads(answer.body) if answer.body else {}
    return found


async def exists(request: Request, path: str) -> bool:
    try:
        await ask(request, "GET", path)
    except Passed:
        return False
    return True


async def replace(request: Request, path: str, members: Json) -> Json:
    """Write whole members of something; returns all of it. Raises Passed."""
    operations = [
        {"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()
    ]
    return await ask(request, "PATCH", path, {"patchOperations": operations})

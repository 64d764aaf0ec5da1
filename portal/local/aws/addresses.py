"""Every form in which a caller may address a deployed API.

    {host}/_aws/execute-api/{api}/{stage}/{path}
    {host}/restapis/{api}/{stage}/_user_request_/{path}
    {api}.execute-api.{anything}/{stage}/{path}
    a custom domain with a base path mapping

All that ministack would take for a call to a REST API must be recognised here too, or the call
would get past admission. Prefixes are therefore matched on the decoded path, as it does.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from portal.local.aws import upstream

_HOST = re.compile(r"([A-Za-z0-9_-]+)\.execute-api\.", re.IGNORECASE)
_IP_ADDRESS = re.compile(r"[\d.]+")
_AWS_PREFIX = "/_aws/execute-api/"
_USER_REQUEST = re.compile(r"/restapis/([^/]*)/([^/]*)/_user_request_(/.*)?", re.DOTALL)


class Address(NamedTuple):
    """A call's API, stage and path; the path is percent-encoded, so that `%2F` is no slash."""

    api_id: str
    stage: str
    path: str


def addresses_of(host: str, path: str, raw_path: str) -> Iterator[Address]:
    """What a request may call: nothing, one, or two where host and path say different things.

    `path` is decoded, `raw_path` is as it came; `host` may carry a port. ministack may decide
    between two otherwise than we would, so whoever serves calls has to ask for each.
    """
    if path.startswith(_AWS_PREFIX):
        api_id, _, rest = path[len(_AWS_PREFIX) :].partition("/")
        yield _staged(api_id, rest, path, raw_path)
    elif match := _USER_REQUEST.fullmatch(path):
        yield Address(match[1], match[2], _encoded((match[3] or "/")[1:], path, raw_path))
    name = host.partition(":")[0]  # of an IPv6 address, its bracket
    if "." not in name or _IP_ADDRESS.fullmatch(name):
        return
    if match := _HOST.match(name):
        yield _staged(match[1], path.lstrip("/"), path, raw_path)
    elif target := upstream.custom_domain_target(name.lower(), path):
        api_id, stage, rest = target
        if stage:
            yield Address(api_id, stage, _encoded(rest[1:], path, raw_path))
        else:
            yield _staged(api_id, rest.lstrip("/"), path, raw_path)


def _staged(api_id: str, rest: str, path: str, raw_path: str) -> Address:
    stage, _, tail = rest.partition("/")
    return Address(api_id, stage, _encoded(tail, path, raw_path))


def _encoded(tail: str, path: str, raw_path: str) -> str:
    """What came as `tail`, the end of `path`: as it was encoded, unless the address before it was
    encoded, too."""
    prefix = path[: len(path) - len(tail)]
    return "/" + (raw_path[len(prefix) :] if raw_path.startswith(prefix) else quote(tail))

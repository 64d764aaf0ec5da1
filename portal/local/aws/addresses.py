"""Every form in which a caller may address a deployed API.

    {host}/_aws/execute-api/{api}/{stage}/{path}
    {host}/restapis/{api}/{stage}/_user_request_/{path}
    {api}.execute-api.{anything}/{stage}/{path}
    a custom domain with a base path mapping

All that ministack would take for a call to a REST API must be recognised here too, or the call
would get past admission. Prefixes are therefore matched on the decoded path, as it does.
"""

import re
from typing import NamedTuple
from urllib.parse import quote

from portal.local.aws import upstream

_HOST = re.compile(r"([A-Za-z0-9_-]+)\.execute-api\.", re.IGNORECASE)
_IP_ADDRESS = re.compile(r"[\d.]+|\[.*\]")
_AWS_PREFIX = "/_aws/execute-api/"
_USER_REQUEST = re.compile(r"/restapis/([^/]*)/([^/]*)/_user_request_(/.*)?", re.DOTALL)


class Address(NamedTuple):
    """A call's API, stage and path; the path is percent-encoded, so that `%2F` is no slash."""

    api_id: str
    stage: str
    path: str


def address_of(host: str, path: str, raw_path: str) -> Address | None:
    """What a request calls, or None where it calls no deployed API.

    `path` is decoded, `raw_path` is as it came; `host` may carry a port.
    """
    if path.startswith(_AWS_PREFIX):
        api_id, _, rest = path[len(_AWS_PREFIX) :].partition("/")
        return _staged(api_id, rest, raw_path, skip=5)
    if match := _USER_REQUEST.fullmatch(path):
        tail = _raw_tail(raw_path, (match[3] or "/")[1:], skip=5)
        return Address(match[1], match[2], tail)
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if "." not in name or _IP_ADDRESS.fullmatch(name):
        return None
    if match := _HOST.match(name):
        return _staged(match[1], path.lstrip("/"), raw_path, skip=2)
    return _custom(name.lower(), path)


def _staged(api_id: str, rest: str, raw_path: str, *, skip: int) -> Address:
    stage, _, tail = rest.partition("/")
    return Address(api_id, stage, _raw_tail(raw_path, tail, skip=skip))


def _raw_tail(raw_path: str, tail: str, *, skip: int) -> str:
    """The encoded path behind the first `skip` segments, unless the address itself was encoded."""
    parts = raw_path.split("/", skip)
    raw_tail = parts[skip] if len(parts) > skip else ""
    address_is_plain = "%" not in "/".join(parts[:skip])
    return "/" + (raw_tail if address_is_plain else quote(tail))


def _custom(name: str, path: str) -> Address | None:
    target = upstream.custom_domain_target(name, path)
    if target is None:
        return None
    api_id, stage, tail = target
    if not stage:
        stage, _, rest = tail.lstrip("/").partition("/")
        tail = "/" + rest
    return Address(api_id, stage, quote(tail))

"""POST to an address that a tenant chose, and never into a network of ours.

A URL says nothing about where it leads: a name resolves to what its owner likes, and to something
else a second later. So the name is resolved here, every address is checked, and the connection is
made to an address that was checked, while TLS and the Host header keep the name. Redirects are not
followed, proxies of the environment are not asked, and the whole takes at most WHOLE_SECONDS.

NotSent            `reason` and str() say why there is no answer
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

import httpcore
import httpx
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

CONNECT_SECONDS = 3.0  # for the name and the connection together
WHOLE_SECONDS = 15.0
MOST_BODY = 2048  # bytes of an answer that are read

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[..., Sequence[Any]]

# IANA's special-purpose registries, and multicast. `is_global` would do, if it were not another one
# in each Python. 168.63.129.16 is Azure's own, inside a public network.
_NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",
    )
]  # fmt: skip
# Of IPv6 only global unicast is public, without Teredo and its like, documentation, and 6to4.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class Failure(TextChoices):
    """Why there is no answer."""

    NAME = "name", _("the name does not resolve")
    FORBIDDEN = "forbidden", _("the address is not a public one")
    CONNECTION = "connection", _("no connection")
    TLS = "tls", _("no secure connection")
    TIMEOUT = "timeout", _("no answer in time")
    ANSWER = "answer", _("not an answer in HTTP")


class NotSent(Exception):
    """There is no answer. What was sent may have arrived all the same."""

    def __init__(self, reason: Failure, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and the first MOST_BODY bytes as text."""

    status: int
    body: str
    retry_after: str


def is_public(address: Address) -> bool:
    """Say whether an address is one of the internet's; one that carries another is that one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return address in _PUBLIC_V6 and not any(address in each for each in _NOT_PUBLIC_V6)
    return not any(address in each for each in _NOT_PUBLIC_V4)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Say whether an address, or the IPv4 address that it maps, is in one of the networks."""
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def post(
    *,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    allowed: Sequence[Network],
    resolve: Resolve = socket.getaddrinfo,
    tls: ssl.SSLContext | None = None,
    seconds: float = WHOLE_SECONDS,
) -> Answer:
    """POST once, and return what was answered, whatever its status. Raise NotSent.

    Addresses in `allowed` are reached though they are not public; plain http reaches no others.
    """
    address = httpx.URL(url)
    deadline = time.monotonic() + seconds
    network = _CheckedNetwork(
        deadline=deadline,
        allowed=allowed,
        allowed_only=address.scheme == "http",
        resolve=resolve,
    )
    target = httpcore.URL(
        scheme=address.raw_scheme,
        host=address.raw_host,
        port=address.port,
        target=address.raw_path,
    )
    sent = {"Host": address.netloc.decode(), **headers, "Connection": "close"}
    with httpcore.ConnectionPool(ssl_context=tls or _tls(), network_backend=network) as pool:
        try:
            with pool.stream("POST", target, headers=list(sent.items()), content=body) as response:
                return _answer(response)
        except httpcore.TimeoutException as error:
            raise NotSent(Failure.TIMEOUT) from error
        except httpcore.ConnectError as error:
            raise NotSent(Failure.CONNECTION, str(error)) from error
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            raise NotSent(Failure.ANSWER, str(error)) from error


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


def _answer(response: httpcore.Response) -> Answer:
    body = b""
    for chunk in response.iter_stream():
        body += chunk
        if len(body) >= MOST_BODY:
            break
    headers = {name.lower(): value for name, value in response.headers}
    # PostgreSQL takes no NUL in a text.
    text = body[:MOST_BODY].decode(errors="replace").replace("\0", "\ufffd")
    retry_after = headers.get(b"retry-after", b"").decode("ascii", errors="replace")
    return Answer(status=response.status, body=text, retry_after=retry_after)


class _CheckedNetwork(httpcore.SyncBackend):
    """Opens connections to addresses that were checked, and to no others."""

    def __init__(
        self, *, deadline: float, allowed: Sequence[Network], allowed_only: bool, resolve: Resolve
    ) -> None:
        self._deadline = deadline
        self._allowed = allowed
        self._allowed_only = allowed_only
        self._resolve = resolve

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Connect to the first address of the name that answers; all of them have to be allowed."""
        until = min(time.monotonic() + CONNECT_SECONDS, self._deadline)
        addresses = _resolved(host, port, resolve=self._resolve, until=until)
        if not all(self._is_allowed(address) for address in addresses):
            raise NotSent(Failure.FORBIDDEN)
        failure: Exception = NotSent(Failure.NAME)
        for address in addresses:
            try:
                left = _left(until, httpcore.ConnectTimeout)
                stream = super().connect_tcp(str(address), port, timeout=left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Bounded(stream, self._deadline)
        raise failure

    def _is_allowed(self, address: Address) -> bool:
        if is_within(address, self._allowed):
            return True
        return not self._allowed_only and is_public(address)


def _resolved(host: str, port: int, *, resolve: Resolve, until: float) -> list[Address]:
    """Return the addresses of a name. The resolver knows no deadline, so it works in a thread."""
    found: SimpleQueue[Sequence[Any] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(resolve(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        rows = found.get(timeout=_left(until, httpcore.ConnectTimeout))
    except Empty:
        raise NotSent(Failure.TIMEOUT) from None
    if isinstance(rows, Exception):
        raise NotSent(Failure.NAME) from rows
    # One per socket address; of a scoped one (fe80::1%eth0) ipaddress knows that it is link-local.
    return list(dict.fromkeys(ipaddress.ip_address(row[4][0]) for row in rows))


def _left(deadline: float, error: type[httpcore.TimeoutException]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise error
    return left


class _Bounded(httpcore.NetworkStream):
    """A stream on which nothing goes on after the deadline, however slowly the bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectError as error:
            raise NotSent(Failure.TLS, str(error)) from error
        return _Bounded(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

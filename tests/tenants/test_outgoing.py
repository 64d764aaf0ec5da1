"""Where webhooks may not go, and what they put up with where they may."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tenants.outgoing import Failure, NotSent, is_public, is_within, post
from tests.receiver import Receiver

# Of hooks.example.com, by itself, until 2124.
CERTIFICATE = Path(__file__).parent.parent / "hooks.example.com.pem"
LOOPBACK = [ip_network("127.0.0.0/8")]

NOT_PUBLIC = [
    "0.0.0.9", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8",
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255",
    "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


def answers(*addresses: str) -> Any:
    """Return a resolver that gives these addresses, whatever it is asked."""

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (families[ip_address(each).version], socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    return resolve


def sent(url: str, **options: Any) -> Any:
    return post(url=url, headers={"X-A": "b"}, body=b"{}", **{"allowed": [], **options})


def refused(url: str, **options: Any) -> Failure:
    with pytest.raises(NotSent) as refusal:
        sent(url, **options)
    return refusal.value.reason


def test_which_addresses_are_public() -> None:
    assert [each for each in NOT_PUBLIC if is_public(ip_address(each))] == []
    assert [each for each in PUBLIC if not is_public(ip_address(each))] == []
    assert is_within(ip_address("::ffff:127.0.0.1"), LOOPBACK)


def test_no_spelling_of_this_machine_is_reached() -> None:
    with Receiver() as receiver:
        for host in (
            "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001",
            "[::ffff:127.0.0.1]", "[::]", "0",
        ):  # fmt: skip
            assert refused(f"https://{host}:{receiver.port}/") in {Failure.FORBIDDEN, Failure.NAME}
            assert refused(f"http://{host}:{receiver.port}/") in {Failure.FORBIDDEN, Failure.NAME}
        assert receiver.taken == []


def test_every_address_of_a_name_has_to_be_public() -> None:
    with Receiver() as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert refused(url, resolve=answers("8.8.8.8", "127.0.0.1")) == Failure.FORBIDDEN
        assert refused(url, resolve=answers("::1")) == Failure.FORBIDDEN
        assert receiver.taken == []


def test_a_name_that_changes_its_mind_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is checked, this machine when the connection is made."""
    asked: list[str] = []
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) > 1 else "8.8.8.8"
        return list(answers(address)(host, port))

    def create_connection(address: Any, *_: Any, **__: Any) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    with Receiver() as receiver:
        # A second look-up, by whatever is under us, would ask the same resolver.
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(socket, "create_connection", create_connection)
        url = f"https://rebinds.example.com:{receiver.port}/"
        assert refused(url, resolve=resolve) == Failure.CONNECTION
        assert connected == [("8.8.8.8", receiver.port)]
        assert asked == ["rebinds.example.com"]
        # When it is asked for the next webhook, the answer is checked again.
        assert refused(url, resolve=resolve) == Failure.FORBIDDEN
        assert receiver.taken == []


def test_plain_http_reaches_only_what_is_allowed() -> None:
    with Receiver() as receiver:
        assert refused("http://hooks.example.com/", resolve=answers("8.8.8.8")) == (
            Failure.FORBIDDEN
        )
        assert sent(receiver.url, allowed=LOOPBACK).status == 204


def test_redirects_and_proxies_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver, Receiver() as inner:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{inner.port}")
        receiver.answer(307, {"Location": inner.url})
        assert sent(receiver.url, allowed=LOOPBACK).status == 307
        assert inner.taken == []
        ((headers, body),) = receiver.taken
        assert headers["host"] == f"127.0.0.1:{receiver.port}"
        assert (headers["x-a"], body) == ("b", b"{}")


def test_an_answer_is_cut_and_kept_as_text() -> None:
    with Receiver() as receiver:
        receiver.answer(500, {"Retry-After": "7"}, b"\0\xff" + b"a" * 100_000)
        answer = sent(receiver.url, allowed=LOOPBACK)
        assert (answer.status, answer.retry_after) == (500, "7")
        assert answer.body == "\ufffd\ufffd" + "a" * 2046


def test_bytes_that_drip_do_not_hold_a_worker() -> None:
    """Each of them comes soon enough; only all of them together take too long."""
    gone = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not gone.wait(0.02):
                handler.wfile.write(b"H")
        except OSError:
            return

    with Receiver() as receiver:
        receiver.on_request = drip
        try:
            assert refused(receiver.url, allowed=LOOPBACK, seconds=0.15) == Failure.TIMEOUT
        finally:
            gone.set()


def test_a_resolver_that_hangs_is_left_alone() -> None:
    gone = threading.Event()
    try:
        slow = refused("https://a.example.com/", resolve=lambda *_, **__: gone.wait(), seconds=0.05)
        assert slow == Failure.TIMEOUT
    finally:
        gone.set()


def test_what_answers_in_no_http_or_not_at_all() -> None:
    def garble(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    with Receiver() as receiver:
        receiver.on_request = garble
        assert refused(receiver.url, allowed=LOOPBACK) == Failure.ANSWER
    assert refused(receiver.url, allowed=LOOPBACK) == Failure.CONNECTION
    nowhere = mock.Mock(side_effect=socket.gaierror)
    assert refused("https://nowhere.example.com/", resolve=nowhere) == Failure.NAME


def test_the_certificate_is_the_names_not_the_addresss() -> None:
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(CERTIFICATE)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    there = {"allowed": LOOPBACK, "resolve": answers("127.0.0.1")}
    with Receiver(server_tls) as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        assert sent(url, tls=trusting, **there).status == 204
        assert receiver.taken[0][0]["host"] == f"hooks.example.com:{receiver.port}"
        other = f"https://other.example.com:{receiver.port}/"
        assert refused(other, tls=trusting, **there) == Failure.TLS
        assert refused(url, **there) == Failure.TLS
        assert len(receiver.taken) == 1

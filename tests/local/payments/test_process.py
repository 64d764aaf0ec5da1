"""As a process of its own: starting, stopping, and being killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.local.payments.conftest import KEY, sdk
from tests.local.payments.receiver import SECRET, Receiver, eventually

ROOT = Path(__file__).parents[3]


def command(state: Path, *more: str, **env: str) -> "subprocess.Popen[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("STRIPE_", "PAYMENTS_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "portal.local.payments", "--state", str(state), *more],
        cwd=ROOT,
        env={**clean, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(state: Path, port: int, *more: str) -> Iterator["subprocess.Popen[str]"]:
    env = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET}
    process = command(state, "--port", str(port), *more, **env)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"local payments: http://127.0.0.1:{port}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop(tmp_path: Path, port: int, name: signal.Signals) -> None:
    with running(tmp_path, port) as process:
        assert sdk(f"http://127.0.0.1:{port}").v1.customers.list().data == []
        process.send_signal(name)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("more", "env", "message"),
    [
        ([], {}, "need a secret key"),
        (["--webhook-url", "http://x/"], {"STRIPE_SECRET_KEY": KEY}, "needs a webhook secret"),
        (
            ["--webhook-url", "x", "--webhook-secret", "whsec_x"],
            {"STRIPE_SECRET_KEY": KEY},
            "must begin with http://",
        ),
    ],
)
def test_it_says_what_it_lacks(
    tmp_path: Path, more: list[str], env: dict[str, str], message: str
) -> None:
    process = command(tmp_path, "--port", "0", *more, **env)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        process = command(tmp_path / "state", "--port", str(taken), STRIPE_SECRET_KEY=KEY)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors == f"local payments: port {taken} of 127.0.0.1 is already in use\n"
    assert not (tmp_path / "state").exists()


def pay(client: stripe.StripeClient, key: str) -> str:
    given: Any = {
        "amount": 100,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        "metadata": {"key": key},
    }
    return client.v1.payment_intents.create(given, {"idempotency_key": key}).id


def paid_according_to(receiver: Receiver) -> set[str]:
    events = receiver.events("payment_intent.succeeded")
    return {event.data.to_dict()["object"]["id"] for event in events}


def test_killed_in_the_middle_nothing_is_lost_or_doubled(tmp_path: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    answered: dict[str, str] = {}
    attempted: list[str] = []
    enough = threading.Event()

    def pay_until_it_dies(worker: int) -> None:
        client = sdk(url)
        for n in range(1000):
            try:
                answered[f"{worker}-{n}"] = pay(client, f"{worker}-{n}")
            except stripe.APIConnectionError:
                attempted.append(f"{worker}-{n}")
                return
            if len(answered) >= 20:
                enough.set()

    with Receiver() as receiver:
        with running(tmp_path, port, "--webhook-url", receiver.url) as process:
            workers = [threading.Thread(target=pay_until_it_dies, args=(n,)) for n in range(3)]
            for worker in workers:
                worker.start()
            assert enough.wait(timeout=60)
            process.kill()
            for worker in workers:
                worker.join()
        before = dict(answered)
        with running(tmp_path, port, "--webhook-url", receiver.url):
            client = sdk(url)
            for key in [*before, *attempted]:
                answered[key] = pay(client, key)
            intents = list(client.v1.payment_intents.list({"limit": 100}).auto_paging_iter())
            booked = list(client.v1.balance_transactions.list({"limit": 100}).auto_paging_iter())
            eventually(lambda: paid_according_to(receiver) == set(answered.values()))
    assert len(attempted) == 3
    assert {key: answered[key] for key in before} == before
    assert sorted(i.id for i in intents) == sorted(answered.values())
    assert sum(entry.amount for entry in booked) == 100 * len(answered)


def test_the_clock_outlives_a_kill(tmp_path: Path, port: int) -> None:
    control = f"http://127.0.0.1:{port}/_sekisho"
    with running(tmp_path, port) as process:
        httpx.post(f"{control}/clock", json={"now": "2026-01-31T23:59:59Z"})
        process.kill()
    with running(tmp_path, port):
        assert httpx.get(f"{control}/healthz").json()["clock"] == "2026-01-31T23:59:59+00:00"

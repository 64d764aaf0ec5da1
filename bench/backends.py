"""What the gateway costs, backend by backend; and does a noisy tenant hurt a quiet one?

    python -m bench.backends

Starts everything that `make run` starts, on free ports, with data of its own, and calls the sold
API over the loopback:

- requests/s and p99 of each kind of backend, and beside it the same stack at ministack alone, where
  that can serve it: its data plane answers 504 for some integrations, and is said so;
- how long the live meter takes from a call to the portal's rows;
- one tenant below its rate, beside another that is silent, at its rate, and at ten times its rate,
  in alternating turns: what the other calls too much must not move the quiet one's p99 by more than
  20 %. (What it may call takes its share of two cores, which on AWS would be others.)

Numbers are of this machine, now: compare them within one run only. Bounded in time and in calls.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import boto3

from bench._programs import (
    CREDENTIALS,
    Connection,
    free_port,
    ministack_environment,
    program,
    throttles_lift,
)
from portal.supervisor.environment import Ports
from portal.supervisor.stack import Stack

CALLERS = 4
LAYER, ALONE = "layer", "ministack alone"
NEIGHBOUR_TARGET = 1.20
NEIGHBOUR_RATE = 10  # requests/s that each of the two tenants has, as on the seeded plan `free`
NOBODYS = "00000000-0000-4000-8000-000000000000"

SETUP = """
import json
from django.utils import timezone
from conversions import services as conversions
from tenants.models import ApiKeyVersion, UsagePlan, User
from tenants.services import (
    api_key_value_reveal, reconcile, tenant_create, usage_plan_save,
)
now = timezone.now()
values = {}
for code, rate in (("endless", 10_000), ("quiet", RATE), ("noisy", RATE)):
    plan = usage_plan_save(
        usage_plan=UsagePlan(
            code=code, name=code, rate_limit=rate, burst_limit=min(2 * rate, 5000),
            quota_limit=10**9,
        ),
        now=now,
    )
    owner = User.objects.create_user(f"{code}@example.com", "bench-bench-bench")
    tenant = tenant_create(name=code, owner=owner, usage_plan=plan, now=now)
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    conversions.tenant_publish(tenant=tenant, now=now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    values[code] = api_key_value_reveal(version=version, now=now)
print("VALUES " + json.dumps(values))
"""


LIVE_LAG = """
import json, time
import httpx
from django.db.models import Sum
from tenants.models import LiveDay
days = LiveDay.objects.filter(version__api_key__tenant__name="endless")
def counted():
    return days.aggregate(requests=Sum("requests"))["requests"] or 0
lags = []
with httpx.Client(headers={"x-api-key": "KEY"}, timeout=30) as client:
    for _ in range(7):
        before = counted()
        assert client.get("URL").status_code == 200
        began = time.monotonic()
        while counted() <= before and time.monotonic() < began + 60:
            time.sleep(0.05)
        lags.append(time.monotonic() - began)
print("LAGS " + json.dumps(lags))
"""


@dataclass(frozen=True)
class Kind:
    """One route, and what stands behind it."""

    name: str
    method: str
    path: str
    body: dict[str, object] | None = None

    def request(self, base: SplitResult, key: str) -> bytes:
        """Return the call as it goes over the wire."""
        body = json.dumps(self.body).encode() if self.body else b""
        lines = [
            f"{self.method} {base.path}{self.path} HTTP/1.1",
            f"host: {base.netloc}",
            f"x-api-key: {key}",
            "content-type: application/json",
            f"content-length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


# Those that only accept come last: what they set off goes on after the answer, in the same process.
KINDS = (
    Kind("MOCK (preflight, no key)", "OPTIONS", "/v1/ping"),
    Kind("Lambda proxy", "GET", "/v1/ping"),
    Kind("monolith (HTTP proxy)", "GET", "/v1/account/keys"),
    Kind("monolith (HTTP, mapped)", "GET", "/v1/account/usage"),
    Kind("queue (SQS)", "POST", "/v1/jobs", {"uploads": [NOBODYS]}),
    Kind(
        "stream (Kinesis)", "POST", "/v1/events", {"events": [{"upload": NOBODYS, "preset": "web"}]}
    ),
    Kind("workflow (Step Functions)", "POST", "/v1/workflows/ingest", {"upload": NOBODYS}),
)


@dataclass
class Answers:
    """What came back, and how long it took, in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, part: float) -> float:
        """Return a latency in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

    def add(self, other: "Answers") -> None:
        self.statuses += other.statuses
        self.latencies += other.latencies
        self.seconds += other.seconds


async def call(
    base: str, kind: Kind, key: str, *, seconds: float, callers: int, rate: float = 0
) -> Answers:
    """Call for a while: as fast as `callers` can, or at `rate` requests/s of them all together."""
    found = Answers()
    start = time.monotonic()
    due = iter(range(1_000_000))

    async def caller(connection: Connection) -> None:
        while True:
            if rate:
                wait = start + next(due) / rate - time.monotonic()
                if time.monotonic() + max(wait, 0) > start + seconds:
                    return
                if wait > 0:
                    await asyncio.sleep(wait)
            elif time.monotonic() > start + seconds:
                return
            began = time.monotonic()
            status = await connection.ask()
            found.latencies.append(time.monotonic() - began)
            found.statuses[status] += 1

    url = urlsplit(base)
    request = kind.request(url, key)
    connections = [Connection(url.hostname or "", url.port or 80, request) for _ in range(callers)]
    await asyncio.gather(*map(caller, connections))
    found.seconds = time.monotonic() - start
    for connection in connections:
        connection.close()
    return found


@contextmanager
def ministack_alone(stack: Stack, directory: Path) -> Iterator[str]:
    """ministack by itself, with the same backend deployed to it; yields its address."""
    port = free_port()
    environment = {
        **stack.environment,
        **ministack_environment(directory, port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    with program(["ministack"], port, environment):
        deploy = "from conversions.backend import stack; stack.deploy()"
        # ENV_FILE would point it at the layer again.
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", deploy],
            env={**environment, "ENV_FILE": os.devnull},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        yield environment["AWS_ENDPOINT_URL"]


def report(found: dict[tuple[str, str], Answers]) -> None:
    """Print a line for each kind and place."""
    print(f"\n{'backend':<28}{'at':<17}{'requests/s':>10}{'p50 ms':>8}{'p99 ms':>8}   answers")
    for (kind, place), answers in found.items():
        print(
            f"{kind:<28}{place:<17}{answers.rate:>10,.0f}{answers.quantile(0.5):>8.1f}"
            f"{answers.quantile(0.99):>8.1f}   {dict(answers.statuses)}"
        )


def client(url: str) -> Any:
    return boto3.client("apigateway", endpoint_url=url, region_name="us-east-1", **CREDENTIALS)


def key_at(url: str) -> str:
    """Make a plan and a key at ministack, as the portal does at the layer; return its value."""
    gateway = client(url)
    plan = gateway.create_usage_plan(
        name="bench",
        apiStages=[{"apiId": "sekisho", "stage": "live"}],
        throttle={"rateLimit": 1_000_000, "burstLimit": 1_000_000},
        quota={"limit": 1_000_000_000, "period": "MONTH"},
    )["id"]
    key = gateway.create_api_key(name="bench", value="bench-backends-key-0123456789", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


def kinds(
    places: dict[str, tuple[str, str]], *, seconds: float, turns: int
) -> dict[tuple[str, str], Answers]:
    """Measure every kind of backend at each place (address and key), in turns."""
    found = {(kind.name, place): Answers() for kind in KINDS for place in places}
    for kind in KINDS:
        for turn in range(-1, turns):
            for place, (base, key) in places.items():
                answers = asyncio.run(call(base, kind, key, seconds=seconds, callers=CALLERS))
                if turn >= 0:  # the first one warms functions and pools
                    found[kind.name, place].add(answers)
    return found


def make_noise(base: str, kind: Kind, key: str, times: int, seconds: float) -> Answers:
    """Call at so many times the rate that was bought."""
    rate = times * NEIGHBOUR_RATE
    return asyncio.run(call(base, kind, key, seconds=seconds, callers=32, rate=rate))


def neighbours(base: str, keys: dict[str, str], *, seconds: float, turns: int) -> float:
    """Return by how much a quiet tenant's p99 moves as the other goes from its rate to 10 x it."""
    ping = KINDS[1]
    quiet: dict[int, Answers] = {times: Answers() for times in (0, 1, 10)}  # by the other's rate
    noise: dict[int, Answers] = {times: Answers() for times in quiet}
    # The neighbour calls from a process of its own: what it costs its caller is not measured.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        for turn, times in product(range(-1, turns), quiet):
            loud = None
            if times:
                loud = elsewhere.submit(make_noise, base, ping, keys["noisy"], times, seconds + 1)
                time.sleep(1)  # its burst is spent, as that of one who always calls too much
            mine = asyncio.run(
                call(base, ping, keys["quiet"], seconds=seconds, callers=4, rate=NEIGHBOUR_RATE / 2)
            )
            made = loud.result() if loud else Answers()
            if turn >= 0:  # the first one warms functions
                quiet[times].add(mine)
                noise[times].add(made)
    print(f"\nA quiet tenant at {NEIGHBOUR_RATE // 2} requests/s, {turns} turns of {seconds:g} s")
    for times, answers in quiet.items():
        p50, p99 = answers.quantile(0.5), answers.quantile(0.99)
        print(
            f"  the other at {times:>2} x its rate   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms"
            f"   {dict(answers.statuses)}"
        )
    for times in (1, 10):
        print(f"  the other's answers at {times:>2} x: {dict(noise[times].statuses)}")
    ratio = quiet[10].quantile(0.99) / quiet[1].quantile(0.99)
    print(f"  p99 at 10 x against 1 x: {ratio:.2f} (target {NEIGHBOUR_TARGET})")
    print(f"  p99 at 10 x against none: {quiet[10].quantile(0.99) / quiet[0].quantile(0.99):.2f}")
    return ratio


def live_lag(stack: Stack, base: str, key: str) -> list[float]:
    """Return how many seconds pass from a call's answer to its being in the portal's rows."""
    code = LIVE_LAG.replace("URL", f"{base}/v1/ping").replace("KEY", key)
    printed = stack.manage("shell", "--no-imports", "-c", code)
    lags: list[float] = json.loads(printed.rpartition("LAGS ")[2])
    return lags


def main() -> int:
    """Run it all; the exit code says whether the neighbour's target was met."""
    parser = argparse.ArgumentParser(prog="bench.backends", description="See the module's text.")
    parser.add_argument("--turns", type=int, default=5, help="turns per kind (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="per turn (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        ports = Ports.free()
        with Stack(var_dir=Path(directory), ports=ports) as stack:
            base = stack.environment["API_BASE_URL"]
            code = SETUP.replace("RATE", str(NEIGHBOUR_RATE))
            printed = stack.manage("shell", "--no-imports", "-c", code)
            keys = json.loads(printed.rpartition("VALUES ")[2])
            lags = live_lag(stack, base, keys["endless"])
            print(
                f"live meter: {statistics.median(lags):.1f} s from call to row "
                f"(median of {len(lags)}, the slowest {max(lags):.1f} s)"
            )
            url = stack.environment["AWS_ENDPOINT_URL"]
            throttles_lift(client(url), api_id="sekisho", stage="live")
            ratio = neighbours(base, keys, seconds=4 * options.seconds, turns=2 * options.turns)
            with ministack_alone(stack, Path(directory) / "alone") as alone:
                places = {
                    LAYER: (base, keys["endless"]),
                    ALONE: (f"{alone}/_aws/execute-api/sekisho/live", key_at(alone)),
                }
                found = kinds(places, seconds=options.seconds, turns=options.turns)
            report(found)
    return 0 if ratio <= NEIGHBOUR_TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

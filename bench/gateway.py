"""How fast is the local AWS's gateway? `python -m bench.gateway`

Keyed MOCK calls, each of them admitted, metered and committed to the file before it is answered,
against ministack alone, which meters in memory only. Both run as programs of their own on the
loopback and are called by the same lean client over the same number of connections, in turns, so
that whatever else the machine does hits both. Prints requests/s and the ratio; exits with 1 below
the target, or where the layer's GetUsage disagrees with the number of answers.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from bench._programs import CREDENTIALS, free_port, ministack_environment, program

TARGET = 1.25
_CONNECTIONS = 16
_LONGEST_TURN = 2.0  # seconds; hypercorn ends a connection after 1,000 requests
_KEY = "bench-gateway-key-0123456789"


class _Caller(asyncio.Protocol):
    """One keep-alive connection that sends its next request when it has the last answer."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[int]) -> None:
        self._request = request
        self._until = until
        self._done = done
        self._answers = 0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._finish(RuntimeError(f"Unexpected answer: {head.decode('latin-1')}"))
            return
        self._buffer = b""
        self._answers += 1
        if time.monotonic() >= self._until:
            self._finish(None)
        else:
            self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(error or ConnectionError("The server closed the connection"))

    def _finish(self, error: Exception | None) -> None:
        if not self._done.done():
            if error is None:
                self._done.set_result(self._answers)
            else:
                self._done.set_exception(error)
        self._transport.close()


async def _measure(port: int, path: str, seconds: float) -> tuple[int, float]:
    """The number of answers over all connections, and how long they took in seconds."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {_KEY}\r\n\r\n".encode()
    start = time.monotonic()
    results: list[asyncio.Future[int]] = []
    for _ in range(_CONNECTIONS):
        done: asyncio.Future[int] = loop.create_future()
        results.append(done)

        def caller(done: asyncio.Future[int] = done) -> _Caller:
            return _Caller(request, start + seconds, done)

        await loop.create_connection(caller, "127.0.0.1", port)
    answers = sum(await asyncio.gather(*results))
    return answers, time.monotonic() - start


def _client(port: int) -> Any:
    url = f"http://127.0.0.1:{port}"
    return boto3.client("apigateway", endpoint_url=url, region_name="us-east-1", **CREDENTIALS)


def _deploy(gateway: Any) -> tuple[str, str]:
    """The same API, plan and key on either server; returns the path to call and the plan's id."""
    api = gateway.create_rest_api(name="bench", tags={"ms-custom-id": "bench000"})["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    ping = gateway.create_resource(restApiId=api, parentId=root, pathPart="ping")["id"]
    method = {"restApiId": api, "resourceId": ping, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    gateway.put_integration(
        **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    gateway.put_integration_response(
        **method, statusCode="200", responseTemplates={"application/json": '{"pong": true}'}
    )
    gateway.create_deployment(restApiId=api, stageName="prod")
    plan = gateway.create_usage_plan(
        name="bench",
        apiStages=[{"apiId": api, "stage": "prod"}],
        throttle={"rateLimit": 1_000_000, "burstLimit": 1_000_000},
        quota={"limit": 1_000_000_000, "period": "MONTH"},
    )["id"]
    key = gateway.create_api_key(name="bench", value=_KEY, enabled=True)["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    return f"/_aws/execute-api/{api}/prod/ping", plan


def _metered(gateway: Any, plan: str) -> int:
    """What GetUsage has counted since yesterday, so that a midnight on the way does not matter."""
    today = datetime.now(UTC).date()
    usage = gateway.get_usage(
        usagePlanId=plan, startDate=str(today - timedelta(days=1)), endDate=str(today)
    )
    return sum(used for pairs in usage["items"].values() for used, _ in pairs)


def main() -> int:
    """Run the comparison; the exit code says whether the target was met."""
    parser = argparse.ArgumentParser(prog="bench.gateway", description="See the module's text.")
    parser.add_argument("--turns", type=int, default=40, help="turns per server (default: 40)")
    parser.add_argument("--seconds", type=float, default=0.25, help="per turn (default: 0.25)")
    options = parser.parse_args()
    if not 0 < options.seconds <= _LONGEST_TURN:
        parser.error(f"--seconds must be more than 0 and at most {_LONGEST_TURN}")
    ours, theirs = free_port(), free_port()
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        alone = ministack_environment(state / "alone", theirs)
        layer = ["portal.local.aws", "--port", str(ours), "--state", str(state / "layer")]
        with program(layer, ours, {}), program(["ministack"], theirs, alone):
            path, plan = _deploy(_client(ours))
            _deploy(_client(theirs))
            rates: dict[str, list[float]] = {"layer": [], "ministack": []}
            sent = 0
            for _ in range(options.turns):
                for name, port in (("layer", ours), ("ministack", theirs)):
                    answers, seconds = asyncio.run(_measure(port, path, options.seconds))
                    rates[name].append(answers / seconds)
                    sent += answers if port == ours else 0
            metered = _metered(_client(ours), plan)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratio = statistics.median(
        a / b for a, b in zip(rates["layer"], rates["ministack"], strict=True)
    )
    print(f"keyed MOCK, {_CONNECTIONS} connections, medians of {options.turns} turns each")
    print(f"  layer, metered durably  {medians['layer']:>6,.0f} requests/s")
    print(f"  ministack alone         {medians['ministack']:>6,.0f} requests/s")
    print(f"  ratio                   {ratio:>6.2f} (target {TARGET})")
    print(f"  calls answered, metered {sent:>6,} {metered:>6,}")
    return 0 if ratio >= TARGET and metered == sent else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmarks share: servers as programs, among them ministack by itself; an open stage."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@contextmanager
def program(arguments: list[str], port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a module as a server, from when it accepts connections until it is stopped."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 30
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{arguments[0]} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


class Connection:
    """A caller that costs little itself: it sends one request over and over, and reads answers."""

    MOST = 500  # requests of one connection; hypercorn ends one after 1,000

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._address, self._request = (host, port), request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asked = 0

    async def ask(self) -> int:
        """Send the request; return the answer's status."""
        if self._asked == self.MOST:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        self._asked += 1
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if status in (204, 304):  # whatever it says of a length, there is no body
            pass
        elif b"\r\ntransfer-encoding: chunked" in head:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        elif b"\r\ncontent-length:" in head:
            _, _, rest = head.partition(b"\r\ncontent-length:")
            await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return status

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams, self._asked = None, 0


def ministack_environment(directory: Path, port: int) -> dict[str, str]:
    """Return what makes ministack by itself as the layer has it: on loopback, on one port."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
    }


def throttles_lift(gateway: Any, *, api_id: str, stage: str) -> None:
    """Lift a stage's throttles: they are sized to real backends, for all tenants together."""
    at = {"restApiId": api_id, "stageName": stage}
    patches = []
    for name in gateway.get_stage(**at)["methodSettings"]:
        # "*/*", or a method's path and name; the path's slashes may be written as ~1.
        path, _, method = name.replace("~1", "/").rpartition("/")
        written = "*" if path.strip("/") == "*" else "~1" + path.strip("/").replace("/", "~1")
        patches += [
            {"op": "replace", "path": f"/{written}/{method}/throttling/{limit}", "value": "100000"}
            for limit in ("rateLimit", "burstLimit")
        ]
    gateway.update_stage(**at, patchOperations=patches)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

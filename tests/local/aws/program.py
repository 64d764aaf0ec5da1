"""The local AWS as a program of its own, as `make run` has it, to be called, stopped and killed.

A process per server also keeps these tests apart from those that run it in a thread: ministack
allows one instance per process.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

# Where the clock of every server is put, so that no test crosses a midnight by chance.
NOON = "2026-03-10T12:00:00Z"
TODAY = NOON[:10]


@dataclass(frozen=True)
class Program:
    """A running local AWS."""

    process: subprocess.Popen[str]
    url: str

    def client(self, service: str, *, attempts: int = 1, region: str = "us-east-1") -> Any:
        """A boto3 client, which does not repeat a call unless it is told to."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": attempts}),
        )

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


@contextmanager
def running(state_dir: Path, *, port: int = 0) -> Iterator[Program]:
    """Start a server, wait until it says that it serves, and put its clock at NOON."""
    arguments = ["-m", "portal.local.aws", "--port", str(port), "--state", str(state_dir)]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            line = process.stdout.readline()
            assert line.startswith("Local AWS on http://"), f"it said {line!r}"
            program = Program(process, line.rsplit(" ", 1)[1].strip())
            httpx.post(f"{program.url}/_sekisho/clock", json={"now": NOON}).raise_for_status()
            yield program
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)

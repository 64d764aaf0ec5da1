"""The processes in which the local AWS runs functions."""

import os
import signal
from pathlib import Path

from tests.local.aws.program import Program


def workers_kill(aws: Program, *, function: str) -> int:
    """Kill the processes in which a function runs; return how many there were."""
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            environment = entry.joinpath("environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        name = f"AWS_LAMBDA_FUNCTION_NAME=sekisho-{function}".encode()
        if parent == aws.process.pid and name in environment:
            os.kill(int(entry.name), signal.SIGKILL)
            killed += 1
    return killed

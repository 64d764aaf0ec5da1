"""The lock that all processes of one VAR_DIR hold together.

flock(2) belongs to the open file, which children inherit: it is free only once the last of them is
gone. A file with a pid in it could not tell that.
"""

import fcntl
import os
import time
from pathlib import Path

LEFT_OVER_SECONDS = 20.0


class AlreadyRunning(Exception):
    """str() says which process runs here already."""


def lock_take(var_dir: Path) -> int:
    """Take the lock and return its file descriptor.

    What a killed supervisor left behind ends by itself (see the keeper): wait for that. Raise
    AlreadyRunning where a supervisor is at work here, or where something does not end.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    path = var_dir / "supervisor.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LEFT_OVER_SECONDS
    while not _try(descriptor):
        holder = os.pread(descriptor, 20, 0).decode().strip()
        if holder.isdecimal() and _is_alive(int(holder)):
            os.close(descriptor)
            raise AlreadyRunning(f"Sekisho runs here already (process {holder}, {path}).")
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise AlreadyRunning(
                f"Processes of an earlier run do not end; `lsof {path}` lists them."
            )
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

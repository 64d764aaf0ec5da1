"""Stops the process groups of a supervisor that died without stopping them itself.

It reads "+PGID" and "-PGID" lines from the supervisor, and end of file tells that it is gone: a
pipe closes however its writer ends, also by `kill -9`, and on every system.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 10.0


def main() -> None:
    # It leads its own session, so a Ctrl-C at the terminal goes to the supervisor alone.
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(0.1)
        groups = _signal(groups, 0)
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: int) -> set[int]:
    """Send a signal to each group; return those that still have a process."""
    living = set()
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):  # macOS: the latter for a zombie
            continue
        living.add(group)
    return living


if __name__ == "__main__":
    main()

"""Become another program that Linux ends when its parent dies: `leash.py PARENT PROGRAM …`.

Set here, in the child and before exec, because running Python between fork and exec of a process
with threads is not safe. Elsewhere than on Linux the keeper alone looks after orphans.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we could ask to be told
        sys.exit("the supervisor is gone")
    os.execvp(command[0], command)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main()

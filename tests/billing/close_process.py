"""A close in a process of its own, which may end by its own SIGKILL.

    python -m tests.billing.close_process NOW BATCH DIES_IN

With DIES_IN 3 it dies in its third batch: all rows are written, nothing is committed. 0: it lives.
"""

import importlib
import os
import signal
import sys
from datetime import datetime
from typing import Any

import django


def main(now: str, batch: str, dies_in: str) -> None:
    django.setup()
    closing: Any = importlib.import_module("billing.services.close_month")
    writing: Any = importlib.import_module("billing.services.close_batch")
    closing.BATCH = int(batch)
    real = writing._billed_usage_write
    batches = 0

    def dying(*arguments: Any) -> None:
        nonlocal batches
        real(*arguments)
        batches += 1
        if batches == int(dies_in):
            os.kill(os.getpid(), signal.SIGKILL)

    writing._billed_usage_write = dying
    run = closing.close_month(now=datetime.fromisoformat(now))
    print(run.failed)


if __name__ == "__main__":
    main(*sys.argv[1:])

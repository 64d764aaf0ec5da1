"""A worker that is killed at an outside call: run as a program, it ends by its own SIGKILL.

    python -m tests.killed_worker MODULE CALL before|after TASK ARGUMENT

MODULE.CALL is what it dies at. The environment says where database, gateway and payments are.
"""

import importlib
import os
import signal
import sys
from typing import Any

import django


def main(module_name: str, call: str, when: str, task: str, argument: str) -> None:
    django.setup()
    module = importlib.import_module(module_name)
    name, _, operation = call.partition(":")
    real = getattr(module, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if operation and operation not in args:
            return real(*args, **kwargs)
        if when == "after":
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(module, name, dying)
    task_module, _, task_name = task.rpartition(".")
    getattr(importlib.import_module(task_module), task_name)(int(argument))


if __name__ == "__main__":
    main(*sys.argv[1:])

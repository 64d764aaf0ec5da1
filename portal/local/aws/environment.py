"""ministack's settings, which it reads from the environment, most of them at import."""

import importlib
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

_CALLS_AT_ONCE = 4


class AlreadyImported(Exception):
    """ministack runs in this process with other settings: one instance per process."""


def import_ministack(*, port: int, state_dir: Path) -> None:
    """Import ministack under our settings: loopback only, no extra ports, state in `state_dir`.

    Its import configures the root logger unless that has a handler: so it gets one meanwhile.
    Raises AlreadyImported.
    """
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(state_dir / "ministack"),
        "S3_DATA_DIR": str(state_dir / "s3"),
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    if "ministack.app" in sys.modules:
        if any(os.environ.get(name) != value for name, value in settings.items()):
            raise AlreadyImported("One local AWS per process: this one has run on other settings")
        return
    os.environ.update(settings)
    placeholder = logging.NullHandler()
    logging.root.addHandler(placeholder)
    try:
        importlib.import_module("ministack.app")
        _limit_state_machines()
    finally:
        logging.root.removeHandler(placeholder)


def _limit_state_machines() -> None:
    """Have state machines call few functions at once; the others wait.

    ministack starts a process for each concurrent call, which is a second of a core's time: with
    some hundred executions at once, starting processes is all that it would do.
    """
    states: Any = importlib.import_module("ministack.services.stepfunctions")
    call, few = states._call_lambda, threading.Semaphore(_CALLS_AT_ONCE)

    def call_in_turn(function: str, event: object) -> object:
        with few:
            return call(function, event)

    states._call_lambda = call_in_turn

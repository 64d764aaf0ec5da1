"""ministack's settings, which it reads from the environment, most of them at import."""

import importlib
import logging
import os
import sys
from pathlib import Path


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
    finally:
        logging.root.removeHandler(placeholder)

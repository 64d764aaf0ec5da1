"""The environment of an embedded installation: `local.env` in VAR_DIR, which the settings read.

Secrets are made up once and kept. Addresses follow from the ports and are written at each start, so
that `python manage.py …` in another shell finds what is running. Other lines are a person's own and
stay as they are.
"""

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

HOST = "127.0.0.1"

HEADER = """\
# Read by portal/settings.py; written by `make run`. Real environment variables win over it.
# Secrets are made once. Addresses are written at each start. Lines that you add are kept.
"""

SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "API_KEY_SECRET": lambda: secrets.token_urlsafe(32),
    "GATEWAY_SECRET": lambda: secrets.token_urlsafe(32),
    "WEBHOOK_SIGNING_SECRET": lambda: secrets.token_urlsafe(32),
    "STRIPE_SECRET_KEY": lambda: f"sk_test_{secrets.token_hex(24)}",
    "STRIPE_WEBHOOK_SECRET": lambda: f"whsec_{secrets.token_hex(32)}",
    "OPERATOR_PASSWORD": lambda: secrets.token_urlsafe(12),
}

# What suits one machine: figures by the second, no mail server, and functions packaged without what
# they import, since the local AWS runs them under our own interpreter.
DEFAULTS = {
    "DEBUG": "true",
    "EMAIL_VERIFICATION": "optional",
    "LOG_FORMAT": "text",
    "USAGE_SYNC_SECONDS": "10",
    "SWEEP_SECONDS": "5",
    "USAGE_LAG_SECONDS": "0",
    "USAGE_SETTLE_SECONDS": "0",
    "LIVE_POLL_SECONDS": "2",
    "LIVE_MARGIN_SECONDS": "1",
    "GATEWAY_CLAIM_SECONDS": "5",
    "BACKEND_PACKAGE": "code",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
}


class PortBusy(Exception):
    """str() says in one line which port is taken, and which variable chooses another."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens, on 127.0.0.1 only."""

    portal: int = 8000
    aws: int = 4566
    payments: int = 12111
    valkey: int = 16379

    VARIABLES = ("PORT", "AWS_PORT", "PAYMENTS_PORT", "VALKEY_PORT")

    @classmethod
    def from_environment(cls) -> "Ports":
        """Read the ports' variables. Raise ValueError, naming the variable, for a wrong one."""
        chosen = []
        for variable, default in zip(cls.VARIABLES, astuple(cls()), strict=True):
            text = os.environ.get(variable) or str(default)
            if not text.isdecimal() or not 1 <= int(text) <= 65535:
                raise ValueError(f"{variable} must be a port from 1 to 65535, not {text!r}")
            chosen.append(int(text))
        return cls(*chosen)

    @classmethod
    def free(cls) -> "Ports":
        """Take ports that are free now."""
        holders = [socket.create_server((HOST, 0)) for _ in cls.VARIABLES]
        ports = [holder.getsockname()[1] for holder in holders]
        for holder in holders:
            holder.close()
        return cls(*ports)

    def check(self) -> None:
        """Raise PortBusy where something listens already, or where two are the same."""
        seen: dict[int, str] = {}
        for variable, port in zip(self.VARIABLES, astuple(self), strict=True):
            if port in seen:
                raise PortBusy(f"{seen[port]} and {variable} are both {port}; choose another.")
            seen[port] = variable
            if _is_busy(port):
                raise PortBusy(
                    f"Port {port} is in use already. Stop what listens there, or choose another "
                    f"one by {variable}, for example: make run {variable}={port + 1}"
                )


def _is_busy(port: int) -> bool:
    # Connecting finds a server that listens on all addresses, which macOS lets us bind beside.
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            return True
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return True
    return False


def _addresses(ports: Ports, var_dir: Path) -> dict[str, str]:
    aws = f"http://{HOST}:{ports.aws}"
    return {
        "SITE_URL": f"http://localhost:{ports.portal}",
        "GATEWAY_PORTAL_URL": f"http://{HOST}:{ports.portal}",
        "REDIS_URL": f"redis://{HOST}:{ports.valkey}/0",
        "AWS_ENDPOINT_URL": aws,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "API_BASE_URL": f"{aws}/_aws/execute-api/sekisho/live",
        "STRIPE_API_BASE": f"http://{HOST}:{ports.payments}",
        "EMAIL_URL": f"file:///{var_dir / 'mail'}",
    }


def environment_write(*, var_dir: Path, ports: Ports) -> dict[str, str]:
    """Write `local.env`, readable by its owner only; return the environment of the processes.

    Addresses come from the file even where a variable of the shell says otherwise: a developer's
    own AWS credentials must not meet an installation that is meant to be local.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    path = var_dir / "local.env"
    kept = _read(path)
    addresses = _addresses(ports, var_dir)
    values = {name: make() for name, make in SECRETS.items()} | DEFAULTS | kept | addresses
    lines = [f"{name}={value}\n" for name, value in values.items()]
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(HEADER + "".join(lines), encoding="utf-8")
    draft.replace(path)  # whole or not at all
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "STRIPE_")) and name != "BROKER_URL"
    }
    places = {"VAR_DIR": str(var_dir), "ENV_FILE": str(path)}
    return values | inherited | addresses | places


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value for name, _, value in pairs}

"""Runs the local payments until SIGINT or SIGTERM: `python -m portal.local.payments --help`."""

import argparse
import errno
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from .errors import ApiError
from .server import LocalPayments


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m portal.local.payments",
        description="A Stripe-compatible server for development and tests, on 127.0.0.1.",
        epilog="Secrets are better given by the environment than on a command line.",
    )
    env = os.environ
    parser.add_argument("--port", type=int, default=int(env.get("PAYMENTS_PORT", "12111")))
    parser.add_argument("--state", type=Path, required=True, help="directory of the state's file")
    parser.add_argument("--webhook-url", default=None, help="where events are delivered")
    parser.add_argument(
        "--webhook-secret",
        default=env.get("STRIPE_WEBHOOK_SECRET"),
        help="whsec_…, signs the events (environment: STRIPE_WEBHOOK_SECRET)",
    )
    parser.add_argument(
        "--secret-key",
        default=env.get("STRIPE_SECRET_KEY"),
        help="sk_test_…, opens the API (environment: STRIPE_SECRET_KEY)",
    )
    parser.add_argument("--merchant", default="Sekisho", help="the name on the checkout page")
    return parser.parse_args()


def main() -> int:
    """The exit code: 0 after a clean stop, 1 if the server could not start."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s payments %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        payments = LocalPayments(
            port=given.port,
            state_dir=given.state,
            webhook_url=given.webhook_url,
            webhook_secret=given.webhook_secret,
            secret_key=given.secret_key or "",
            merchant=given.merchant,
        )
        payments.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port {given.port} of 127.0.0.1 is already in use"
        else:
            reason = str(error)
        print(f"local payments: {reason}", file=sys.stderr)
        return 1
    except (ValueError, ApiError) as error:
        print(f"local payments: {error}", file=sys.stderr)
        return 1
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    print(f"local payments: {payments.url}", flush=True)
    stop.wait()
    payments.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

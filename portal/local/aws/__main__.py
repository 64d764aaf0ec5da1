"""`python -m portal.local.aws --port 4566 --state var/aws`: the local AWS as a program."""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path

from portal.local.aws.server import HOST, PortInUse, bind, serve
from portal.local.aws.store import StateInUse


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="portal.local.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="on 127.0.0.1 (default: 4566)")
    parser.add_argument("--state", type=Path, required=True, help="directory that keeps its state")
    options = parser.parse_args()
    log_format = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
    logging.basicConfig(level=logging.WARNING, format=log_format)
    try:
        listener = bind(options.port)
        asyncio.run(_serve(listener, options.state.resolve()))
    except (PortInUse, StateInUse) as error:
        print(f"local AWS: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(listener: socket.socket, state_dir: Path) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    port = listener.getsockname()[1]

    def announce() -> None:
        with contextlib.suppress(BrokenPipeError):
            print(f"Local AWS on http://{HOST}:{port}", flush=True)

    await serve(listener, state_dir, stop=stopping.wait, started=announce)


if __name__ == "__main__":
    sys.exit(main())

"""`make run` and `make demo`: `python -m portal.supervisor run | demo`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from portal.supervisor.environment import PortBusy, Ports
from portal.supervisor.lock import AlreadyRunning
from portal.supervisor.processes import BASE_DIR, NotReady
from portal.supervisor.stack import Stack


class Stopped(Exception):
    """Somebody asked us to end, while we were starting."""


class Stopper:
    """Turns Ctrl-C and SIGTERM into a clean end, and a second one into an immediate one."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.is_starting = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            raise KeyboardInterrupt
        self.asked.set()
        if self.is_starting:
            self.is_starting = False
            raise Stopped


def run() -> int:
    """Run until asked to stop. Data stays in VAR_DIR."""
    var_dir = Path(os.environ.get("VAR_DIR") or BASE_DIR / "var")
    stopper = Stopper()
    stack = Stack(var_dir=var_dir, ports=Ports.from_environment(), say=_say)
    try:
        with stack:
            stopper.is_starting = False
            _say(_welcome(stack))
            while not stopper.asked.wait(0.5):
                stack.restart_the_dead()
    except KeyboardInterrupt:
        stack.kill()
        return 130
    return 0


def demo() -> int:
    """Tell the whole story on free ports and in a directory of its own, kept if it fails."""
    from portal.demo import tell  # noqa: PLC0415  (`run` does without)

    Stopper()
    directory = Path(tempfile.mkdtemp(prefix="sekisho-demo-"))
    started = time.monotonic()
    with Stack(var_dir=directory, ports=Ports.free()) as stack:
        _say(f"Everything started in {time.monotonic() - started:.1f} s.")
        code = tell(stack, say=_say)
    if code == 0:
        shutil.rmtree(directory)
    return code


def _say(line: str) -> None:
    print(line, flush=True)


def _welcome(stack: Stack) -> str:
    environment = stack.environment
    operator = environment.get("OPERATOR_EMAIL", "operator@example.com")
    return f"""
Sekisho is running. Ctrl-C stops it; `tail -f {stack.log_dir}/*.log` shows what it does.

  The portal     {stack.site_url}/
  Its admin      {stack.site_url}/admin/
                 {operator}  {environment["OPERATOR_PASSWORD"]}
  The sold API   {environment["API_BASE_URL"]}/v1/ping
  Local AWS      {environment["AWS_ENDPOINT_URL"]}
  Local Stripe   {environment["STRIPE_API_BASE"]}
  Data           {stack.var_dir}
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.supervisor", description=__doc__)
    parser.add_argument("what", choices=["run", "demo"])
    command = {"run": run, "demo": demo}[parser.parse_args().what]
    try:
        return command()
    except Stopped:
        return 130
    except (PortBusy, AlreadyRunning, NotReady, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

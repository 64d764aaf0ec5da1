"""One process of the stack: started on a leash, waited for, watched, and stopped with its group."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
MOST_LOG_BYTES = 10_000_000  # then a log is put aside at the next start
MOST_RESTARTS = 5
RESTART_WINDOW_SECONDS = 60.0


class NotReady(Exception):
    """str() says which process did not come up, why, and where its log is."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to tell that it is ready for the next one."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool] | None = None


class Keeper:
    """Our end of the pipe to `keeper.py`, which outlives us by the time it takes to clean up."""

    def __init__(self, *, lock: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock,),
        )

    def watch(self, group: int) -> None:
        self._tell(group)

    def forget(self, group: int) -> None:
        self._tell(-group)

    def _tell(self, number: int) -> None:
        try:
            os.write(self._process.stdin.fileno(), f"{number}\n".encode())  # type: ignore[union-attr]
        except BrokenPipeError:  # somebody killed it: the leashes are left
            return

    def close(self) -> None:
        """Let it go, once all groups are stopped."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()


class Child:
    """A running Program. Its output goes to NAME.log in `log_dir`."""

    def __init__(
        self,
        program: Program,
        *,
        environment: Mapping[str, str],
        log_dir: Path,
        keeper: Keeper,
        lock: int,
    ) -> None:
        self.program = program
        self.name = program.name
        self.log_path = log_dir / f"{program.name}.log"
        self._environment = dict(environment)
        self._keeper = keeper
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: list[float] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; `wait_ready` waits for it."""
        self._starts.append(time.monotonic())
        self._is_asked = False
        self._put_aside_log()
        leash = [sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py"))]
        with self.log_path.open("ab") as log:
            self._log_offset = log.tell()
            self._process = subprocess.Popen(
                [*leash, str(os.getpid()), *self.program.command],
                cwd=BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
        self._keeper.watch(self._process.pid)

    def _put_aside_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > MOST_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def wait_ready(self) -> None:
        """Wait until it is ready. Raise NotReady where it does not get there in time."""
        is_ready = self.program.is_ready
        deadline = time.monotonic() + READY_SECONDS
        while is_ready is not None and not is_ready():
            if not self.is_alive():
                raise NotReady(f"{self.name} stopped while starting.\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise NotReady(
                    f"{self.name} was not ready after {READY_SECONDS:.0f} s.\n{self.last_words()}"
                )
            time.sleep(0.05)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_text(self) -> str:
        """Say how it ended."""
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def last_words(self, lines: int = 8) -> str:
        """Return the end of what it wrote since its start, and where the rest is."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_offset)
            text = log.read().decode(errors="replace")
        tail = "".join(f"    {line}\n" for line in text.splitlines()[-lines:])
        return f"{tail}    ({self.log_path})"

    def may_restart(self) -> bool:
        """Say whether another start is worth a try, or it keeps dying."""
        since = time.monotonic() - RESTART_WINDOW_SECONDS
        return sum(start > since for start in self._starts) <= MOST_RESTARTS

    def ask_to_stop(self) -> None:
        """Ask it to end, once: to Celery a second request means to drop what it is doing."""
        if self._process is not None and self.is_alive() and not self._is_asked:
            self._process.terminate()
            self._is_asked = True

    def stop(self) -> None:
        """Ask it to end, wait a bounded time, then end it and whatever it left in its group."""
        self.ask_to_stop()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End its whole group now."""
        if self._process is None:
            return
        # macOS says PermissionError where only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._keeper.forget(self._process.pid)
        self._process = None

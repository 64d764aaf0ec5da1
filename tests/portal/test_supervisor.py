"""What `make run` promises of its environment, its ports, and of processes that are killed."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.supervisor.environment import HOST, PortBusy, Ports, environment_write
from portal.supervisor.lock import AlreadyRunning, lock_take
from portal.supervisor.processes import BASE_DIR, Child, Keeper, NotReady, Program

# A supervisor of one program, in a process of its own.
SUPERVISOR = """
import sys, time
from pathlib import Path
from portal.supervisor.lock import lock_take
from portal.supervisor.processes import Child, Keeper, Program

var_dir = Path(sys.argv[1])
lock = lock_take(var_dir)
keeper = Keeper(lock=lock)
program = Program("sleeper", [sys.executable, "-c", sys.argv[2]])
child = Child(program, environment={}, log_dir=var_dir, keeper=keeper, lock=lock)
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
SLEEPER = "import time; time.sleep(600)"


def eventually(condition: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Whether a condition comes true while we wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_free(var_dir: Path) -> bool:
    """Whether nothing of an earlier run holds the lock."""
    try:
        os.close(lock_take(var_dir))
    except AlreadyRunning:
        return False
    return True


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[Program], Child]]:
    """Make a child of this process."""
    lock = lock_take(tmp_path)
    keeper = Keeper(lock=lock)
    children: list[Child] = []

    def make(program: Program) -> Child:
        made = Child(program, environment={}, log_dir=tmp_path, keeper=keeper, lock=lock)
        children.append(made)
        return made

    yield make
    for made in children:
        made.kill()
    keeper.close()
    os.close(lock)


# --- The environment ---


def test_secrets_are_made_once_and_a_persons_lines_are_kept(tmp_path: Path) -> None:
    first = environment_write(var_dir=tmp_path, ports=Ports())
    path = tmp_path / "local.env"
    with path.open("a") as file:
        file.write("ISSUER_NAME=Barrier & Sons = best\n")

    second = environment_write(var_dir=tmp_path, ports=Ports(portal=9000))

    assert second["SECRET_KEY"] == first["SECRET_KEY"] != ""
    assert second["STRIPE_WEBHOOK_SECRET"] == first["STRIPE_WEBHOOK_SECRET"]
    assert second["ISSUER_NAME"] == "Barrier & Sons = best"
    assert (first["SITE_URL"], second["SITE_URL"]) == (
        "http://localhost:8000",
        "http://localhost:9000",
    )
    assert "SITE_URL=http://localhost:9000\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_shells_own_aws_and_stripe_never_meet_a_local_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_real")
    monkeypatch.setenv("OPERATOR_PASSWORD", "chosen")

    environment = environment_write(var_dir=tmp_path, ports=Ports())

    assert "AWS_PROFILE" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert environment["OPERATOR_PASSWORD"] == "chosen"


# --- Ports ---


def test_a_busy_port_is_named_in_one_line() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortBusy, match=rf"^Port {port} .* AWS_PORT={port + 1}$"):
            Ports(portal=Ports.free().portal, aws=port).check()


def test_two_equal_ports_are_refused() -> None:
    free = Ports.free().portal
    with pytest.raises(PortBusy, match=f"PORT and AWS_PORT are both {free}"):
        Ports(portal=free, aws=free).check()


@pytest.mark.parametrize("value", ["0", "70000", "http", "-1"])
def test_a_wrong_port_is_refused_by_its_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_PORT", value)
    with pytest.raises(ValueError, match=rf"PAYMENTS_PORT must be .* not '{value}'"):
        Ports.from_environment()


# --- Processes ---


def test_a_program_that_stops_while_starting_is_reported_with_its_last_words(
    child: Callable[[Program], Child],
) -> None:
    words = "import sys; sys.exit('no bridge here')"
    started = child(Program("bridge", [sys.executable, "-c", words], lambda: False))
    started.start()

    with pytest.raises(NotReady, match=r"bridge stopped while starting[\s\S]*no bridge here"):
        started.wait_ready()


def test_stopping_ends_what_a_program_left_in_its_group(
    child: Callable[[Program], Child], tmp_path: Path
) -> None:
    pid_file = tmp_path / "grandchild"
    parent = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]);"
        f"open({str(pid_file)!r}, 'w').write(str(p.pid))"
    )
    started = child(Program("parent", [sys.executable, "-c", parent], pid_file.exists))
    started.start()
    started.wait_ready()
    assert eventually(lambda: not started.is_alive())

    started.stop()

    assert eventually(lambda: not _runs(int(pid_file.read_text())))


def test_a_program_may_be_restarted_a_bounded_number_of_times(
    child: Callable[[Program], Child],
) -> None:
    started = child(Program("sleeper", [sys.executable, "-c", SLEEPER]))
    starts = 0
    while starts == 0 or started.may_restart():
        started.kill()
        started.start()
        starts += 1

    assert starts == 6


# --- A killed supervisor ---


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
    """Start SUPERVISOR of a program; yields it and the program's pid."""
    started: list[tuple[subprocess.Popen[str], int]] = []

    def start(program: str) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(tmp_path), program],
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        started.append((process, int(process.stdout.readline())))
        return started[-1]

    yield start
    for process, pid in started:
        process.kill()
        process.communicate()
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_second_supervisor_is_refused_by_name(
    supervisor: Callable[[str], tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    process, _ = supervisor(SLEEPER)

    with pytest.raises(AlreadyRunning, match=rf"process {process.pid}"):
        lock_take(tmp_path)


def test_its_processes_end_when_a_supervisor_is_killed_and_then_the_lock_is_free(
    supervisor: Callable[[str], tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    process, pid = supervisor(SLEEPER)

    process.kill()
    process.wait()

    assert is_free(tmp_path)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether a process is there, and more than a zombie that nobody has reaped yet."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # no /proc: then the system reaps orphans at once
        return not Path("/proc").exists()
    return state != "Z"

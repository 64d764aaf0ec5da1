"""The local AWS as a program and in a thread, and the real AWS CLI against it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.local.aws.apis import Api, Caller, statuses
from tests.local.aws.cli import cli, needs_cli
from tests.local.aws.program import TODAY, Program, running


def start(state_dir: Path, port: str) -> "subprocess.CompletedProcess[str]":
    arguments = ["-m", "portal.local.aws", "--port", port, "--state", str(state_dir)]
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_busy_port_is_one_clear_line(aws: Program, tmp_path: Path) -> None:
    port = aws.url.rsplit(":", 1)[1]
    failed = start(tmp_path, port)
    assert failed.returncode == 1
    assert failed.stderr == f"local AWS: port {port} cannot be used: address already in use\n"


def test_a_state_directory_has_one_server(tmp_path: Path) -> None:
    with running(tmp_path):
        failed = start(tmp_path, "0")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "is in use by another local AWS" in failed.stderr


THREAD = """
import sys, urllib.request
from pathlib import Path
from portal.local.aws.server import LocalAWS, PortInUse

state, address = Path(sys.argv[1]), "/_sekisho/healthz"
with LocalAWS(state_dir=state) as aws:
    print(urllib.request.urlopen(aws.url + address).read().decode())
    try:
        LocalAWS(port=aws.port, state_dir=state).start()
    except PortInUse as error:
        print(error)
again = LocalAWS(port=aws.port, state_dir=state)
again.start()
print(urllib.request.urlopen(again.url + address).read().decode())
again.stop()
"""


def test_it_runs_in_a_thread_and_again(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", THREAD, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    first, busy, again = run.stdout.splitlines()
    assert first == again == '{"status":"ok"}'
    assert "cannot be used" in busy
    assert run.stderr == ""


@needs_cli
class TestAwsCli:
    def test_get_usage_prints_the_pairs(self, aws: Program, api: Api, call: Caller) -> None:
        plan_id = api.plan(quota={"limit": 3, "period": "MONTH"})
        key_id, key = api.key(plan_id)
        assert statuses(call, key, 4) == [200, 200, 200, 429]
        where = ("--usage-plan-id", plan_id, "--key-id", key_id)
        printed = cli(aws, "get-usage", *where, "--start-date", TODAY, "--end-date", TODAY)
        assert json.loads(printed.stdout)["items"] == {key_id: [[3, 0]]}
        patched = cli(
            aws, "update-usage", *where, "--patch-operations", "op=replace,path=/remaining,value=2"
        )
        assert json.loads(patched.stdout)["items"] == {key_id: [[3, 2]]}
        assert statuses(call, key, 3) == [200, 200, 429]

    def test_lists_come_whole(self, aws: Program, gateway: Any) -> None:
        made = {gateway.create_api_key(name="of-the-cli")["id"] for _ in range(3)}
        listed = cli(aws, "get-api-keys", "--name-query", "of-the-cli", "--page-size", "2")
        assert {key["id"] for key in json.loads(listed.stdout)["items"]} == made

    def test_refusals_are_named(self, aws: Program) -> None:
        refused = cli(aws, "get-usage-plan", "--usage-plan-id", "nosuch")
        assert refused.returncode != 0
        assert "NotFoundException" in refused.stderr
        assert "Invalid Usage Plan identifier specified" in refused.stderr

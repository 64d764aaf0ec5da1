"""What if everybody signs up at once? `python -m bench.sign_ups`

200 people fill in the sign-up form of an installation of its own, all before the first of them
sends it; every tenth clicks twice. Each then opens the dashboard for the key and calls the API with
it until it answers. Exits with 1 where somebody was lost or doubled, counted in the database and at
the gateway: an account, an organisation, a subscription and a key for each, that works.

The floor is what nobody can do without: to hash as many passwords, on all processors. How many
requests a second the gateway's control plane takes decides when the last key works, on AWS
and here; a tenant's own wait is until then. Everything is on this machine, the callers too.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from tqdm import tqdm

from bench._programs import CREDENTIALS
from portal.demo.browser import Browser, Page, PageProblem
from portal.demo.gateway import Caller
from portal.supervisor.environment import Ports
from portal.supervisor.stack import Stack

PEOPLE = 200
_PATIENCE = 600  # seconds
_PAUSE = 3  # seconds between one's calls: 200 impatient callers are a load of their own
_PASSWORD = "correct horse battery staple"  # noqa: S105  nobody's
_COUNTED = """
import json
from billing.models import Subscription
from tenants.models import ApiKey, Member, Tenant, User, VersionStatus
print(json.dumps({
    "accounts": User.objects.filter(is_staff=False).count(),
    "organisations": Tenant.objects.count(),
    "names": Tenant.objects.values("name").distinct().count(),
    "owners": Member.objects.count(),
    "subscriptions": Subscription.objects.count(),
    "keys": ApiKey.objects.count(),
    "active": ApiKey.objects.filter(versions__status=VersionStatus.ACTIVE).count(),
}))
"""


@dataclass
class Person:
    """Somebody who signs up; seconds are from when everybody sent the form."""

    number: int
    key: str = ""
    signed_up: float = 0.0
    key_works: float = 0.0
    problem: str = ""


def _sign_up(person: Person, *, stack: Stack, all_ready: threading.Barrier) -> None:
    """Fill the form, wait for everybody, send it, and use the key."""
    # Each comes from somewhere else: from one address the portal takes 20 sign-ups a minute.
    # A kept connection is closed by the server while everybody gets ready, and httpx, unlike a
    # browser, does not try again on another.
    headers = {
        "X-Forwarded-For": f"198.18.{person.number // 250}.{person.number % 250 + 1}",
        "Connection": "close",
    }
    with ExitStack() as used:
        browser = used.enter_context(Browser(stack.site_url, timeout=_PATIENCE, headers=headers))
        page = browser.open("/accounts/signup/")
        filled = {
            "organization": f"Load {person.number}",
            "email": f"load-{person.number}@example.com",
            "password1": _PASSWORD,
            "password2": _PASSWORD,
            "plan": "free",
        }
        clicks = 2 if person.number % 10 == 0 else 1
        all_ready.wait(_PATIENCE)
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=clicks) as pool:
            sent = [
                pool.submit(browser.submit, page, "signup", **filled) for _click in range(clicks)
            ]
        person.signed_up = time.monotonic() - began
        person.key = _key_shown([each.result() for each in sent])
        caller = Caller(stack.environment["API_BASE_URL"])
        used.callback(caller.close)
        while caller.call(person.key).status_code != 200:
            if time.monotonic() - began > _PATIENCE:
                raise PageProblem("The key never worked.")
            time.sleep(_PAUSE)
        person.key_works = time.monotonic() - began


def _key_shown(answers: list[Page]) -> str:
    """Return the key that one of the answers shows; of two clicks one may say that there is an
    account already."""
    shown = [answer.texts["api-key-value"] for answer in answers if "api-key-value" in answer.texts]
    if len(shown) != 1:
        raise PageProblem(f"{len(shown)} of {len(answers)} answers show a key")
    return shown[0].strip()


def _attempt(person: Person, *, stack: Stack, all_ready: threading.Barrier) -> None:
    try:
        _sign_up(person, stack=stack, all_ready=all_ready)
    except Exception as error:
        person.problem = f"{type(error).__name__}: {error}"
        all_ready.abort()


def burst(stack: Stack, *, people: int) -> list[Person]:
    """Have so many sign up at once; return how each fared. The stack trusts a proxy's header."""
    all_ready = threading.Barrier(people)
    everybody = [Person(number) for number in range(people)]
    with ThreadPoolExecutor(max_workers=people) as pool:
        attempts = [
            pool.submit(_attempt, person, stack=stack, all_ready=all_ready) for person in everybody
        ]
        for attempt in tqdm(as_completed(attempts), total=people, disable=None, unit="key"):
            attempt.result()
    return everybody


def counted(stack: Stack) -> dict[str, int]:
    """Return how many there are of what each should have once."""
    rows: dict[str, int] = json.loads(stack.manage("shell", "-v", "0", "-c", _COUNTED))
    gateway: Any = boto3.client(
        "apigateway",
        endpoint_url=stack.environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        **CREDENTIALS,
    )
    pages = gateway.get_paginator("get_api_keys").paginate(includeValues=False)
    at_gateway = [key for page in pages for key in page["items"]]
    return {
        **rows,
        "gateway keys": len(at_gateway),
        "enabled": sum(key["enabled"] for key in at_gateway),
    }


def _hash(_number: int) -> None:
    hasher = PBKDF2PasswordHasher()
    hasher.encode(_PASSWORD, hasher.salt())


def _floor(people: int) -> float:
    """Return how long hashing their passwords takes, in seconds."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(_hash, range(os.cpu_count() or 1)))  # the processes have started
        began = time.monotonic()
        list(pool.map(_hash, range(people)))
        return time.monotonic() - began


def main() -> int:
    """Run the burst; the exit code says whether each has what they signed up for, once."""
    parser = argparse.ArgumentParser(prog="bench.sign_ups", description="See the module's text.")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"default: {PEOPLE}")
    people: int = parser.parse_args().people
    os.environ["BEHIND_PROXY"] = "true"
    with tempfile.TemporaryDirectory() as directory:
        with Stack(var_dir=Path(directory), ports=Ports.free()) as stack:
            before = counted(stack)
            everybody = burst(stack, people=people)
            found = {name: count - before[name] for name, count in counted(stack).items()}
        floor = _floor(people)
    for person in everybody:
        if person.problem:
            print(f"  person {person.number}: {person.problem}")
    waits = [person.signed_up for person in everybody]
    works = [person.key_works for person in everybody]
    print(f"{people} sign-ups at once, every tenth of them sent twice")
    print(f"  signed up, median, last  {statistics.median(waits):>6.1f} s {max(waits):>6.1f} s")
    print(f"  key works, median, last  {statistics.median(works):>6.1f} s {max(works):>6.1f} s")
    print(f"  floor: their passwords   {floor:>6.1f} s, 1 to {max(waits) / floor:.1f}")
    print("  " + ", ".join(f"{name} {count}" for name, count in found.items()))
    keys = {person.key for person in everybody}
    return 0 if len(keys) == people and set(found.values()) == {people} else 1


if __name__ == "__main__":
    sys.exit(main())

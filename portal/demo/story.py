"""The seven steps of the story, in order. Each continues where the one before ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from portal.demo.browser import Browser, Page, PageProblem
from portal.demo.expect import NotAsItShouldBe, expect, wait_for
from portal.demo.gateway import EXCEEDED, FORBIDDEN, THROTTLED, Caller, usage_today
from portal.demo.picture import photograph
from portal.supervisor.processes import NotReady
from portal.supervisor.stack import Stack

Say = Callable[[str], None]
PASSWORD = "hakone-checkpoint-1619"  # noqa: S105  (of people who live for a minute)
QUOTA = 100  # of the seeded plan `free`, in requests a month
EXTRA = 100  # of the seeded pack `extra-100`
GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"
PATIENCE = 20.0  # seconds: a machine may be busy. How long each took is told, and is 2 at rest.


@dataclass
class Story:
    """Who is in it, and what they found out so far."""

    stack: Stack
    caller: Caller
    owner: Browser
    other: Browser
    operator: Browser
    key: str = ""
    key_id: str = ""
    other_key: str = ""

    @property
    def payments_url(self) -> str:
        return self.stack.environment["STRIPE_API_BASE"]


def tell(stack: Stack, *, say: Say) -> int:
    """Tell the story; return 0, or 1 at the first thing that is not as it should be."""
    started = time.monotonic()
    site = stack.site_url
    with Browser(site) as owner, Browser(site) as other, Browser(site) as operator:
        story = Story(stack, Caller(stack.environment["API_BASE_URL"]), owner, other, operator)
        for number, step in enumerate(STEPS, start=1):
            step_started = time.monotonic()
            try:
                saw = step(story)
            except (NotAsItShouldBe, PageProblem, NotReady, httpx.HTTPError) as problem:
                say(f"{number}. FAILED  {step.__doc__}\n   {problem}")
                say(f"   Logs: {stack.log_dir}")
                return 1
            say(f"{number}. {time.monotonic() - step_started:5.1f} s  {saw}")
        story.caller.close()
    say(f"The whole story took {time.monotonic() - started:.1f} s.")
    return 0


# --- 1. Sign up ---


def sign_up(story: Story) -> str:
    """A visitor signs up for the plan `free` and gets a key."""
    expect("Free is on /plans/", "Free" in story.owner.open("/plans/").text, True)
    page = _sign_up(story.owner, plan="free", organization="Alice Corp")
    expect("where sign-up leads", page.url, f"{story.stack.site_url}/dashboard/")
    story.key = page.testid("api-key-value")
    seconds = wait_for(
        "the new key at the gateway",
        lambda: story.caller.answer(story.key),
        "200",
        seconds=PATIENCE,
    )
    again = story.owner.open("/dashboard/")
    expect("the key's value is shown again", "api-key-value" in again.texts, False)
    return f"signed up for free; the key worked after {seconds:.1f} s and was shown once"


def _sign_up(browser: Browser, *, plan: str, organization: str) -> Page:
    mail = f"owner@{organization.replace(' ', '-').lower()}.example.com"
    form = browser.open(f"/accounts/signup/?plan={plan}")
    return browser.submit(
        form,
        "/accounts/signup/",
        email=mail,
        password1=PASSWORD,
        password2=PASSWORD,
        organization=organization,
        plan=plan,
    )


# --- 2. Call ---


def call(story: Story) -> str:
    """A caller meets 200, 403 and both kinds of 429."""
    answer = story.caller.call(story.key)
    expect("a call with the key", answer.status_code, 200)
    body: dict[str, Any] = answer.json()
    story.key_id = str(body["key"]["id"])
    expect("who the answer says we are", body["tenant"]["name"], "Alice Corp")
    expect("the plan in the answer", body["plan"], "free")
    expect("a call without a key", story.caller.answer(None), FORBIDDEN)
    expect("a call with a wrong key", story.caller.answer("x" * 40), FORBIDDEN)
    _revoke_one(story)
    burst = story.caller.burst(story.key, 60)
    if not burst[THROTTLED]:
        raise NotAsItShouldBe(f"60 calls at once were not throttled: {dict(burst)}")
    passed = 2 + burst["200"]  # one of them in step 1
    passed += story.caller.exhaust(story.key, most=QUOTA)
    expect("calls that passed", passed, QUOTA)
    expect("the next call", story.caller.patient(story.key), EXCEEDED)
    return (
        f"403 without a key, with a wrong and a revoked one; {burst[THROTTLED]} of "
        f"60 calls at once throttled; {QUOTA} passed, then 429 Limit Exceeded"
    )


def _revoke_one(story: Story) -> None:
    """Let somebody else sign up, and revoke their key."""
    with Browser(story.stack.site_url) as visitor:
        value = _sign_up(visitor, plan="free", organization="Gone Ltd").testid("api-key-value")
        wait_for("a key to revoke", lambda: story.caller.answer(value), "200", seconds=PATIENCE)
        visitor.submit(visitor.open("/keys/"), "/revoke/")
        wait_for("the revoked key", lambda: story.caller.answer(value), FORBIDDEN, seconds=PATIENCE)


# --- 3. Count ---


def count(story: Story) -> str:
    """Usage is read, and the dashboard and AWS's own client agree."""
    story.stack.manage("sync_usage")
    page = story.owner.open("/dashboard/")
    expect("used, on the dashboard", page.testid("used-period"), str(QUOTA))
    expect("used today", page.testid("used-today"), str(QUOTA))
    expect("remaining", page.testid("remaining"), "0")
    expect("the chart is there", "usage-chart" in page.ids, True)
    synced = datetime.fromisoformat(page.testid("synced-at"))
    age = (datetime.now(UTC) - synced).total_seconds()
    expect("figures are a minute old at most", age < 60, True)
    pair = usage_today(story.stack.environment, key_id=story.key_id)
    expect("GetUsage by boto3", pair, [QUOTA, 0])
    return f"the dashboard shows {QUOTA} used and 0 remaining; GetUsage says {pair}"


# --- 4. Buy more ---


def buy(story: Story) -> str:
    """A declined card changes nothing; a good one buys exactly one pack, whatever webhooks do."""
    checkout = _checkout(story)
    declined = _pay(story.owner, checkout, DECLINED_CARD)
    reason = declined.testid("error")
    expect("the declined card says why", "declined" in reason, True)
    expect("a call after it", story.caller.patient(story.key), EXCEEDED)
    _pay(story.owner, declined, GOOD_CARD)
    seconds = wait_for(
        "calls after the payment", lambda: story.caller.answer(story.key), "200", seconds=PATIENCE
    )
    _redeliver(story)
    passed = 1 + story.caller.exhaust(story.key, most=EXTRA)
    expect("calls that the pack paid for", passed, EXTRA)
    return (
        f"declined with a reason; paid, calls passed after {seconds:.1f} s; seven repeated "
        f"webhooks changed nothing: exactly {EXTRA} more passed"
    )


def _checkout(story: Story) -> Page:
    return story.owner.submit(
        story.owner.open("/billing/extensions/"), "/billing/extensions/", pack="extra-100"
    )


def _pay(browser: Browser, checkout: Page, card: str) -> Page:
    return browser.submit(
        checkout, "/checkout/", card_number=card, exp="12 / 40", cvc="123", name="Alice"
    )


def _redeliver(story: Story) -> None:
    """Have the payment's webhook delivered five times more, then twice at once."""
    control = f"{story.payments_url}/_sekisho/webhooks"
    deliveries = httpx.get(control).json()["deliveries"]
    event = next(d["event"] for d in deliveries if d["type"] == "checkout.session.completed")
    for times in (1, 1, 1, 1, 1, 2):
        answer = httpx.post(f"{control}/redeliver", json={"event": event, "times": times})
        expect("a repeated webhook is sent", answer.status_code, 200)
    wait_for(
        "webhooks that wait", lambda: httpx.get(control).json()["pending"], 0, seconds=PATIENCE
    )


# --- 5. Convert ---


def convert(story: Story) -> str:
    """A photograph becomes three variants."""
    page = story.owner.open("/uploads/")
    picture = photograph()
    post = story.owner.send(
        page, "/uploads/create/", name="lake.jpg", size=str(len(picture)), type="image/jpeg"
    )
    sent = httpx.post(post["url"], data=post["fields"], files={"file": ("lake.jpg", picture)})
    expect("the upload straight to S3", sent.is_success, True)
    seconds = wait_for(
        "variants in the gallery",
        lambda: story.owner.open("/uploads/").html.count('data-testid="variant"'),
        3,
        seconds=PATIENCE,
    )
    return f"{len(picture) // 1000} kB went straight to S3; three variants after {seconds:.1f} s"


# --- 6. Sell ---

# `close_month` itself closes no month that is not over: here its clock is passed in.
_ON_THE_FIRST = """
from datetime import UTC, datetime, timedelta
from billing import services
now = datetime.now(UTC)
services.close_month(now=(now.replace(day=1) + timedelta(days=32)).replace(day=1))
"""


def sell(story: Story) -> str:
    """A second tenant pays for `starter`, is billed on the 1st, and only once."""
    checkout = _sign_up(story.other, plan="starter", organization="Bob Works")
    page = _pay(story.other, checkout, GOOD_CARD)
    expect("where the payment leads", page.url.startswith(story.stack.site_url), True)
    dashboard = story.other.open("/dashboard/")
    story.other_key = dashboard.testid("api-key-value")
    wait_for("the paid key", lambda: story.caller.answer(story.other_key), "200", seconds=PATIENCE)
    before = _invoices(story.other)
    for _ in range(2):
        story.stack.manage("shell", "--no-imports", "--command", _ON_THE_FIRST)
    after = _invoices(story.other)
    expect("invoices that two runs of `close_month` wrote", len(after) - len(before), 1)
    for address in after:
        expect(f"{address} is a PDF", story.other.get(address).content[:4], b"%PDF")
    free = len(_invoices(story.owner))
    expect("invoices of the free tenant: its pack's alone", free, 1)
    return f"starter was paid, billed once in two runs; {len(after)} invoices with their PDFs"


def _invoices(browser: Browser) -> list[str]:
    return browser.open("/billing/invoices/").links(".pdf")


# --- 7. Operate ---


def operate(story: Story) -> str:
    """An operator slows a plan down in the admin, and calls feel it."""
    environment = story.stack.environment
    story.operator.submit(
        story.operator.open("/admin/"),
        "/accounts/login/",
        login=environment.get("OPERATOR_EMAIL", "operator@example.com"),
        password=environment["OPERATOR_PASSWORD"],
    )
    plans = story.operator.open("/admin/tenants/usageplan/?q=starter")
    change = plans.links("/change/")[0]
    page = story.operator.submit(
        story.operator.open(change), "/change/", rate_limit="1", burst_limit="1"
    )
    expect("the admin saved the plan", page.url.endswith("/change/"), False)
    seconds = wait_for(
        "most of ten calls at once are throttled",
        lambda: story.caller.burst(story.other_key, 10)[THROTTLED] >= 8,
        True,
        seconds=PATIENCE,
    )
    return f"starter went from 20 to 1 request a second; calls felt it after {seconds:.1f} s"


STEPS: tuple[Callable[[Story], str], ...] = (sign_up, call, count, buy, convert, sell, operate)

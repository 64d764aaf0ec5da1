"""djaodjin-saas's own monthly path, in a virtual environment of its own, on SQLite.

Its renewals: income of the month is recognised, subscriptions are extended, and their cards charged
by the fake processor that comes with it, so that no network is used.
"""

import subprocess
import sys
import tempfile

# It imports `six` without asking for it.
_PACKAGES = ("djaodjin-saas", "six")

_SCRIPT = """
import sys, time
from datetime import datetime, timedelta, timezone

import django
from django.conf import settings

folder, count = sys.argv[1], int(sys.argv[2])
settings.configure(
    BASE_DIR=folder, SECRET_KEY="bench", USE_TZ=True, LOGIN_URL="/", ROOT_URLCONF="saas.urls",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder + "/db"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "saas"],
    SAAS_ORGANIZATION_MODEL="saas.Organization",
    SAAS={
        "BROKER": {"GET_INSTANCE": "broker"},
        "PROCESSOR": {"BACKEND": "saas.backends.fake_processor.FakeProcessorBackend"},
    },
)
django.setup()

from django.core.management import call_command
from saas import renewals
from saas.models import Organization, Plan, Subscription

call_command("migrate", run_syncdb=True, verbosity=0)
begun, over = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (11, 12))
ours = {"is_provider": True, "processor_id": 1, "country": "US"}
Organization.objects.bulk_create(
    [Organization(pk=1, slug="processor", **ours), Organization(pk=2, slug="broker", **ours)]
)
plan = Plan.objects.create(
    slug="monthly", title="monthly", organization_id=2, period_amount=1900, is_active=True,
    period_type=Plan.MONTHLY, renewal_type=Plan.AUTO_RENEW,
)
buyers = Organization.objects.bulk_create(
    Organization(
        slug=f"buyer-{n}", full_name=f"Buyer {n}", email=f"{n}@example.org", country="US",
        processor_id=1, processor_card_key=f"card-{n}", billing_start=over.date(),
    )
    for n in range(count)
)
Subscription.objects.bulk_create(
    Subscription(organization=buyer, plan=plan, ends_at=over, auto_renew=True) for buyer in buyers
)
Subscription.objects.update(created_at=begun)
now = over - timedelta(hours=12)
started = time.perf_counter()
renewals.recognize_income(now)
renewed = renewals.extend_subscriptions(now)
charged = renewals.create_charges_for_balance(now)
print("DONE", renewed, charged, time.perf_counter() - started)
"""


def renewed_a_second(count: int) -> float | None:
    """Renew so many subscriptions; return how many a second it did. None where pip cannot fetch it.

    Raise RuntimeError where not all of them were renewed and charged.
    """
    with tempfile.TemporaryDirectory(prefix="sekisho-djaodjin-") as folder:
        python = f"{folder}/venv/bin/python"
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES]
        if subprocess.run(pip, check=False, capture_output=True).returncode:
            return None
        command = [python, "-c", _SCRIPT, folder, str(count)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    words = done.stdout.split()
    if words[:3] != ["DONE", str(count), str(count)]:
        raise RuntimeError(f"djaodjin-saas did not renew them all: {done.stdout}{done.stderr}")
    return count / float(words[3])

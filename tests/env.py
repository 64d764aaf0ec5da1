"""The environment of the tests, loaded before Django's settings are (`-p tests.env`)."""

import atexit
import os
import shutil
import tempfile

# Made once for all workers, which inherit the variable, and taken away by who made it.
if "TEST_VAR_DIR" not in os.environ:
    os.environ["TEST_VAR_DIR"] = tempfile.mkdtemp(prefix="sekisho-tests-")
    atexit.register(shutil.rmtree, os.environ["TEST_VAR_DIR"], ignore_errors=True)
_VAR_DIR = os.environ["TEST_VAR_DIR"]

# With a key of Stripe's test mode, tests marked `stripe` run against that, and no others do.
STRIPE_TEST_SECRET_KEY = os.environ.get("STRIPE_TEST_SECRET_KEY", "")
if STRIPE_TEST_SECRET_KEY and not STRIPE_TEST_SECRET_KEY.startswith("sk_test_"):
    raise ValueError("STRIPE_TEST_SECRET_KEY must be a key of the test mode: sk_test_…")

# A test has what it asks for, and reaches nothing else.
NOBODY = "http://127.0.0.1:9"
_STRIPE = os.environ.get("STRIPE_API_BASE", "https://api.stripe.com")

os.makedirs(os.path.join(_VAR_DIR, "static"), exist_ok=True)  # where whitenoise looks

os.environ.update(
    VAR_DIR=_VAR_DIR,
    ENV_FILE=os.path.join(_VAR_DIR, "none.env"),
    DEBUG="true",
    SECRET_KEY="tests-only",
    API_KEY_SECRET="tests-only",
    GATEWAY_SECRET="tests-only-gateway-secret",
    WEBHOOK_SIGNING_SECRET="tests-only",
    WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
    STRIPE_SECRET_KEY=STRIPE_TEST_SECRET_KEY or "sk_test_tests",
    STRIPE_WEBHOOK_SECRET="whsec_tests",
    EMAIL_URL="memory:",
    EMAIL_VERIFICATION="optional",
    LOG_FORMAT="text",
    LOG_LEVEL="WARNING",
    AWS_ENDPOINT_URL=NOBODY,
    STRIPE_API_BASE=_STRIPE if STRIPE_TEST_SECRET_KEY else NOBODY,
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    BACKEND_API_ID="sekisho",
    BACKEND_PACKAGE="code",
    USAGE_LAG_SECONDS="0",
    USAGE_SETTLE_SECONDS="0",
    GATEWAY_CLAIM_SECONDS="2",
)

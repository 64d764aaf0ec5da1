"""Every setting of the portal. Each variable is read and checked here, once, and nowhere else.

`make run` writes `var/local.env` (random secrets, the ports it chose); a production installation
sets real environment variables, which win. docs/settings.md explains each one; a test compares
that page with what this module reads. A missing or wrong variable stops the start and is named.
"""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from dotenv import load_dotenv
from environs import Env, ValidationError, validate

from billing.tax_numbers import is_tax_id_of
from portal.oidc_provider import OIDC_VARIABLES, origin, provider_id, providers

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)
VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var")
# Into os.environ, not only into `env`: boto3 looks for its credentials there.
load_dotenv(env.path("ENV_FILE", VAR_DIR / "local.env"))

# --- The site ---

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
SITE_URL = env.str("SITE_URL", "http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS = [SITE_URL]
_https = SITE_URL.startswith("https://")

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "tenants",
    "billing",
    "conversions",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    # Always, whatever is configured: which tables there are must not depend on that.
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.PageCompressionMiddleware",
    "portal.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.WholePageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.middleware.LastSeenMiddleware",
    "portal.middleware.RequestContextMiddleware",
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.context.site",
            ]
        },
    }
]

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "libraries"]
# A language is offered once its catalogue is here: half a translation helps nobody.
LANGUAGES = [
    ("en", _("English")),
    *([("ja", _("Japanese"))] if (BASE_DIR / "locale" / "ja").is_dir() else []),
]
TIME_ZONE = "UTC"  # usage days and quota periods are the gateway's, and those are UTC
USE_TZ = True

# --- Who may come in ---

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("dashboard")
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {"signup": "portal.forms.SignupForm"}
ACCOUNT_ADAPTER = "portal.accounts.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", "mandatory")


def _is_proven(mode: str) -> None:
    by_address = mode == "approval" or mode.startswith("domain:")
    if by_address and ACCOUNT_EMAIL_VERIFICATION != "mandatory":
        raise ValidationError("It takes EMAIL_VERIFICATION=mandatory: anybody can type an address")


# portal/sign_up_modes.py says what they mean.
SIGN_UP_MODE = env.str(
    "SIGN_UP_MODE",
    "open",
    validate=[
        validate.Regexp(
            r"(open|invitation|approval|domain:([a-z0-9-]+\.)+[a-z0-9-]+(,([a-z0-9-]+\.)+[a-z0-9-]+)*)\Z",
            error="It must be open, invitation, approval, or mail domains, as domain:example.com",
        ),
        _is_proven,
    ],
)
# Nothing tells who has an account: a form says the same of any address, and mail says the rest.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _https else "http"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of every change of a password, a factor or an address
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# tenants/recent.py says what it is asked for.
ACCOUNT_REAUTHENTICATION_TIMEOUT = env.int("REAUTHENTICATION_SECONDS", 15 * 60)

# OpenID Connect (docs/security.md): all four or none, and one that is missing is named.
_of_oidc: dict[str, Any] = (
    {"validate": validate.Length(min=1)}
    if any(os.environ.get(name) for name in OIDC_VARIABLES)
    else {"default": ""}
)
OIDC_SERVER_URL = (env.str("OIDC_SERVER_URL", **_of_oidc) or "").rstrip("/")
OIDC_NAME = env.str("OIDC_NAME", **_of_oidc)
OIDC_PROVIDER_ID = provider_id(OIDC_SERVER_URL)
SOCIALACCOUNT_PROVIDERS = providers(
    server_url=OIDC_SERVER_URL,
    client_id=env.str("OIDC_CLIENT_ID", **_of_oidc),
    secret=env.str("OIDC_CLIENT_SECRET", **_of_oidc),
    name=OIDC_NAME,
)
# portal/oidc.py says what follows from it.
OIDC_TRUSTS_ADDRESSES = env.bool("OIDC_TRUSTS_ADDRESSES", False)
_oidc_origin = env.str("OIDC_SIGN_IN_ORIGIN", origin(OIDC_SERVER_URL))
SOCIALACCOUNT_ADAPTER = "portal.oidc.OpenIDAdapter"
SOCIALACCOUNT_FORMS = {"signup": "portal.forms_oidc.OpenIDSignupForm"}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True  # by the subject from then on
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True  # a connection is one more way in
SOCIALACCOUNT_STORE_TOKENS = False  # nothing is asked of the provider later

MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True  # else whoever has a session for a moment takes them unnoticed
MFA_ADAPTER = "portal.second_factors.SecondFactorAdapter"
MFA_FORMS = {"add_webauthn": "portal.forms_security.PasskeyForm"}
# Browsers offer passkeys without TLS at localhost alone, and there fido2 has to be told so.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _https and urlsplit(SITE_URL).hostname == "localhost"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_REFERRER_POLICY = "same-origin"
if env.bool("BEHIND_PROXY", False):
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # else its rate limits would take all visitors for one
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"

# --- Storage ---

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Lock, then check, then act: a transaction that will write takes the write lock at BEGIN.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file in tests too: an in-memory database cannot be shared with a worker.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

# --- Work in the background (the schedule and the queues are in portal/celery.py) ---

CELERY_BROKER_URL = env.str("BROKER_URL", REDIS_URL)
USAGE_SYNC_SECONDS = env.int("USAGE_SYNC_SECONDS", 300)
SWEEP_SECONDS = env.int("SWEEP_SECONDS", 30)
RESULTS_POLL_SECONDS = env.int("RESULTS_POLL_SECONDS", 2)
LIVE_POLL_SECONDS = env.int("LIVE_POLL_SECONDS", 5)
LIVE_PROBE_SECONDS = env.int("LIVE_PROBE_SECONDS", 30)

# --- Leaving (docs/leaving.md) ---

DELETION_GRACE_DAYS = env.int("DELETION_GRACE_DAYS", 7, validate=validate.Range(min=1, max=90))

# --- The gateway and the backend behind it ---

AWS_REGION = env.str("AWS_DEFAULT_REGION", "us-east-1")
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", None)
BACKEND_STACK_NAME = env.str("BACKEND_STACK_NAME", "sekisho")
# `manage.py deploy_backend` stores which API it made and how callers reach it (tenants/stages.py).
# What is set here wins: an API deployed otherwise, a custom domain, the local AWS's address.
BACKEND_API_ID = env.str("BACKEND_API_ID", None)
BACKEND_STAGE = env.str("BACKEND_STAGE", "live")
_api_address = f"https://{BACKEND_API_ID}.execute-api.{AWS_REGION}.amazonaws.com/{BACKEND_STAGE}"
API_BASE_URL = env.str("API_BASE_URL", _api_address if BACKEND_API_ID else "").rstrip("/")
# The local AWS runs functions under our own interpreter, which has all that they import; Lambda has
# only what is in the package.
BACKEND_PACKAGE = env.str(
    "BACKEND_PACKAGE",
    "lambda-arm64",
    validate=validate.OneOf(["code", "lambda-arm64", "lambda-x86_64"]),
)
API_KEY_SECRET = env.str("API_KEY_SECRET")
GATEWAY_SECRET = env.str(
    "GATEWAY_SECRET",
    validate=validate.Regexp(
        r"[-._A-Za-z0-9]{16,}\Z",
        error="It must be at least 16 characters of A-Z a-z 0-9 - . _",
    ),
)
GATEWAY_PORTAL_URL = env.str("GATEWAY_PORTAL_URL", SITE_URL).rstrip("/")
# GetUsage is 30-45 minutes late on AWS; a figure is settled once read again this much later.
USAGE_LAG_SECONDS = env.int("USAGE_LAG_SECONDS", 45 * 60)
USAGE_SETTLE_SECONDS = env.int("USAGE_SETTLE_SECONDS", 60 * 60)
# What may still be missing behind the live meter's newest line: a batch that failed comes again.
LIVE_MARGIN_SECONDS = env.int("LIVE_MARGIN_SECONDS", 300)
# How long one worker may hold a tenant's gateway state before another takes over: longer than one
# gateway call with its time-outs, shorter than a tenant's patience.
GATEWAY_CLAIM_SECONDS = env.int("GATEWAY_CLAIM_SECONDS", 30)

# --- Webhooks to tenants ---


def _are_networks(texts: list[str]) -> None:
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


# The endpoints' secrets are derived from it; another value changes every one of them.
WEBHOOK_SIGNING_SECRET = env.str("WEBHOOK_SIGNING_SECRET")
# Which networks webhooks may reach though they are private; plain http reaches only these.
_networks: list[str] = env.list("WEBHOOK_ALLOWED_NETWORKS", [], validate=_are_networks) or []
WEBHOOK_ALLOWED_NETWORKS = [ip_network(each) for each in _networks]

# --- Payments ---

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "https://api.stripe.com").rstrip("/")
ISSUER_NAME = env.str("ISSUER_NAME", "Sekisho Demo Inc.")
MFA_TOTP_ISSUER = ISSUER_NAME  # how authenticator apps name the account
ISSUER_ADDRESS = env.str("ISSUER_ADDRESS", "1-1 Hakone, Kanagawa, Japan")
ISSUER_TIME_ZONE = env.str("ISSUER_TIME_ZONE", "UTC")
# Only an issuer with both charges tax (billing/taxes.py).
ISSUER_COUNTRY = env.str(
    "ISSUER_COUNTRY",
    "",
    validate=validate.Regexp(r"([A-Z]{2})?\Z", error="It must be an ISO 3166-1 code like JP"),
)


def _is_of_issuer_country(number: str) -> None:
    if number and ISSUER_COUNTRY and not is_tax_id_of(country=ISSUER_COUNTRY, number=number):
        raise ValidationError(f"It is no tax number of ISSUER_COUNTRY, {ISSUER_COUNTRY}")


ISSUER_TAX_ID = env.str(
    "ISSUER_TAX_ID",
    "",
    validate=[
        validate.Regexp(
            r"(T[0-9]{13}|[A-Z]{2}[A-Z0-9+*]{2,13})?\Z",
            error="It must be Japan's T and 13 digits, or a VAT number with its country's prefix",
        ),
        _is_of_issuer_country,
    ],
)
# Where VIES's REST API is. Empty: operators ask by hand, and enter the answer in the admin.
VIES_API_BASE = env.str("VIES_API_BASE", "").rstrip("/")
ISSUER_BANK = env.str("ISSUER_BANK", "")
INVOICE_DUE_DAYS = env.int("INVOICE_DUE_DAYS", 14)
PRICE_NOTICE_DAYS = env.int("PRICE_NOTICE_DAYS", 30)

# --- Mail and operators ---

vars().update(env.dj_email_url("EMAIL_URL", "console:"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Sekisho <no-reply@example.com>")
OPERATOR_EMAIL = env.str("OPERATOR_EMAIL", "operator@example.com")
OPERATOR_PASSWORD = env.str("OPERATOR_PASSWORD", None)

# --- What a browser may load ---

# Browsers hold a form to this policy through every redirect, and buying ends at Stripe's page,
# signing in with OpenID Connect at the provider's.
_checkout_origin = (
    "https://checkout.stripe.com"
    if STRIPE_API_BASE == "https://api.stripe.com"
    else STRIPE_API_BASE
)
# Uploads go straight to S3, so the page must be allowed to post there.
_uploads_origin = AWS_ENDPOINT_URL or f"https://*.s3.{AWS_REGION}.amazonaws.com"
_csp: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:", _uploads_origin],
    "font-src": [SELF],
    "connect-src": [SELF, _uploads_origin],
    "form-action": [SELF, _checkout_origin, *([_oidc_origin] if _oidc_origin else [])],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
    "manifest-src": [SELF],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _csp}
# Unfold is built with Alpine, which evaluates expressions found in attributes.
ADMIN_CONTENT_SECURITY_POLICY = {
    **_csp,
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}

# --- The management API ---

API_CALLS_PER_MINUTE = env.int("API_CALLS_PER_MINUTE", 600)
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.authentication.GatewayAuthentication",
        "tenants.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["tenants.parsers.TextParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "tenants.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Sekisho management API",
    "DESCRIPTION": "What a tenant's own automation can do in the portal.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.openapi.operations_complete",
    ],
    # Of all, `state` is a field.
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStateEnum": "tenants.models.DeliveryState.values",
        "InvoiceStateEnum": "billing.models.InvoiceState.values",
        "OrderStateEnum": "billing.models.OrderState.values",
        "UploadStateEnum": "conversions.models.UploadState.values",
    },
    "COMPONENT_SPLIT_REQUEST": True,  # what may be sent is narrower than what is answered
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Nobody calls with the gateway's headers.
    "AUTHENTICATION_WHITELIST": [
        "tenants.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}

# --- Admin ---

UNFOLD = {
    "SITE_TITLE": "Sekisho",
    "SITE_HEADER": "Sekisho",
    "SITE_SYMBOL": "toll",
    # The portal's indigo (tokens.css). Links are 500 where it is dark, 600 where it is light.
    "COLORS": {
        "primary": {
            "50": "#f3f6fc",
            "100": "#e9eef9",
            "200": "#cdd8f2",
            "300": "#b3c3f5",
            "400": "#9db2f7",
            "500": "#768be4",
            "600": "#3f57b0",
            "700": "#24407f",
            "800": "#1f366b",
            "900": "#182f64",
            "950": "#101d40",
        }
    },
    "SIDEBAR": {"navigation": "portal.admin_navigation.groups"},
}

# --- Logs ---

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOG_FORMAT = env.str("LOG_FORMAT", "json")
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.reports.ReportFilter"

env.seal()

from portal.logs import logging_config  # noqa: E402  (it must not be imported before the settings)

LOGGING = logging_config(level=LOG_LEVEL, format_=LOG_FORMAT)

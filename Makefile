# Every target works from a bare clone: it makes .venv from the lock files first.
# A machine needs Python 3.11 or newer with venv, and make.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
NODE := platypus/tests/node
ARGS ?=
# Twice as many as there are cores: for most of its time a test waits for another process.
TESTS_AT_ONCE ?= $(shell $(PYTHON) -c 'import os; print(2 * os.cpu_count())')

.PHONY: help setup demo test crash fuzz years clients alone check audit format lock bench simulate clean
help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(VENV)/.dev ## make .venv from the lock files, with the developer tools

demo: $(VENV)/.runtime ## the main job in one command: two banks linked, synced and shown
	@$(BIN)/bankloom demo $(ARGS)

test: setup $(NODE)/node_modules ## every test
	@$(BIN)/pytest -n $(TESTS_AT_ONCE) --dist worksteal $(ARGS)

crash: setup ## kill -9 service, workers and database 200 times, under changes; compare with the bank; and 50 rotations of keys
	@$(BIN)/pytest tests/crash -n 0 -s --kills 200 $(ARGS)

fuzz: setup ## 20,000 made-up requests with keys in hand: no fault of ours, nothing off its document
	@$(BIN)/pytest tests/fuzz -n 0 -s --cases 20000 $(ARGS)

years: setup ## two simulated years of 1,000 Items with every fault, twice: the same ledgers
	@$(BIN)/python platypus/tests/support/years.py $(ARGS)

clients: setup ## which released versions of Plaid's clients go the whole way against Platypus
	$(BIN)/python platypus/tests/clients/ranges.py $(ARGS)

alone: setup ## Platypus alone: its wheel, in an environment with only what it says it needs
	@$(BIN)/python platypus/tests/support/standalone.py

check: setup ## formatting, lint (bandit's rules too), types, import directions, known holes in packages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python tests/package_audit.py

audit: setup ## known holes in the locked packages; ARGS="--strict" also fails where one could not be asked for
	@$(BIN)/python tests/package_audit.py $(ARGS)

format: setup ## rewrite the files as ruff wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## ratios against named references, all measured in one run
	$(BIN)/python bench/run.py $(ARGS)

simulate: setup ## how far each step of docs/scaling.md carries; ARGS="--write" puts it there
	$(BIN)/python bench/simulation.py $(ARGS)

lock: ## resolve pyproject.toml anew into the lock files
	python3 -m venv build/lock && build/lock/bin/pip install -q uv
	build/lock/bin/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
		--python-version 3.11 --group build -o requirements.lock pyproject.toml platypus/pyproject.toml
	build/lock/bin/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
		--python-version 3.11 --group build --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml platypus/pyproject.toml

clean: ## remove what the targets made, data included
	rm -rf $(VENV) build .data

# Plaid's own JavaScript clients, to test against; without npm their tests are skipped, and say so.
$(NODE)/node_modules: $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $(NODE) --no-audit --no-fund --silent; fi
	@mkdir -p $@ && touch $@

define install
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e platypus
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Bankloom needs Python 3.11 or newer with venv; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml platypus/pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into $(VENV) (once) ..."
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the developer tools into $(VENV) (once) ..."
	$(call install,requirements-dev.lock)
	@touch $@

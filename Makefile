# `make` alone lists the targets. PYTHON=python3.12 picks another Python, ARGS="…" adds arguments.

PYTHON ?= python3
ARGS ?=
UPGRADE ?=
MINUTES ?= 10
SEED ?=
SEEDS ?= 1000
STORE ?= postgres
QUICK ?=
JOBS ?= 3
SHORT ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED_RUN := $(VENV)/installed-run
INSTALLED := $(VENV)/installed
PEERS_INSTALLED := $(VENV)/installed-peers
NODE_INSTALLED := $(VENV)/installed-node
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-clock coverage simulate chaos bench check format docs lock wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## make .venv from the committed lock; at once where nothing changed

run: $(INSTALLED_RUN) ## start the service with ARGS, by default on http://127.0.0.1:8080
	@$(BIN)/python -m reservesvc serve $(ARGS)

test: $(NODE_INSTALLED) ## run the tests, or those ARGS names, in JOBS (3) processes
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

test-clock: $(INSTALLED) ## run the tests on other days, see CONTRIBUTING.md; SHORT=1 those about days
	$(BIN)/python -m tests.clock $(if $(SHORT),--short) $(ARGS)

coverage: $(NODE_INSTALLED) ## run the tests, tell which lines and branches none of them reached
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

bench: $(PEERS_INSTALLED) ## measure beside peers, see docs/performance.md; QUICK=1 in two minutes
	$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick) $(ARGS)

simulate: $(INSTALLED) ## run the flow on a virtual clock from SEEDS (1000) seeds; SEED=… replays one
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos: $(INSTALLED) ## break everything at random for MINUTES (10); SEED=… replays, STORE=sqlite takes a file
	@$(BIN)/python -m tests.faults.chaos --minutes $(MINUTES) --store $(STORE) $(if $(SEED),--seed $(SEED))

check: $(INSTALLED) ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## put the code into its one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(INSTALLED) ## write the pages that are made from tables in the code
	$(BIN)/python -c 'from reservesvc.config_table import as_markdown; print(as_markdown(), end="")' > docs/settings.md

lock: $(INSTALLED) ## write requirements/ anew; UPGRADE=--upgrade takes the newest versions
	$(LOCK) pyproject.toml --output-file requirements/production.txt
	$(LOCK) pyproject.toml --extra embedded --constraint requirements/production.txt \
		--output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra dev --constraint requirements/production.txt \
		--output-file requirements/development.txt
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) - --constraint requirements/development.txt --output-file requirements/build.txt
	$(LOCK) benchmarks/requirements.in --constraint requirements/development.txt \
		--output-file requirements/benchmarks.txt
	$(LOCK) tests/e2e/requirements.in --constraint requirements/development.txt \
		--output-file requirements/e2e.txt

wheel: $(INSTALLED) ## build the sdist and the wheel into dist/
	$(BIN)/hatchling build

clean: ## remove .venv and whatever was built; data stays
	rm -rf $(VENV) build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find reservesvc tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps are written last, so that an installation that broke off is begun again.
# What `make run` needs; its lock is part of the one for development.
$(INSTALLED_RUN): requirements/run.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or later, or name it: make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), and 3.11 or later is needed. Name another: make PYTHON=python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing what the service needs into $(VENV), once: 15 MB to download."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --require-hashes -r requirements/run.txt
	@touch $@

# Added to what `make run` installed, which may be running; begun anew where the lock is another.
$(INSTALLED): requirements/development.txt pyproject.toml $(INSTALLED_RUN)
	$(if $(wildcard $@),$(PYTHON) -m venv --clear $(VENV))
	@echo "Adding what development needs to $(VENV), once: 350 MB. It takes a minute or more."
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/development.txt
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED_RUN) $@

# For the tests alone: running the service needs neither Node nor a generator of clients.
$(NODE_INSTALLED): requirements/e2e.txt $(INSTALLED)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/e2e.txt
	@touch $@

$(PEERS_INSTALLED): requirements/benchmarks.txt $(INSTALLED)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/benchmarks.txt \
		&& touch $@ || echo "Some peers cannot be installed here; the table will say which are left out." >&2

# Everything starts here. `make` alone lists the targets.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
SHELL := /bin/sh

BROWSER ?= 1
export BROWSER
NO_BROWSER := $(if $(filter 0,$(BROWSER)), and not browser)
EVENTS ?= 100000000
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export NPM_CONFIG_AUDIT := false
export NPM_CONFIG_FUND := false
export NPM_CONFIG_UPDATE_NOTIFIER := false
# Without a home that can be written, npm keeps its downloads here.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export NPM_CONFIG_CACHE := $(CURDIR)/var/npm
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-warn-script-location
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
PROJECTS := pyproject.toml sdk/python/pyproject.toml

# Stamps: each says that what it depends on is in place, so a warm start does nothing.
VENV := .venv/pyvenv.cfg
RUNTIME := .venv/.runtime-installed
DEVELOPMENT := .venv/.development-installed
NODE := .venv/.node-found
WEB := frontend/node_modules/.installed
BUILT := frontend/dist/.built

.PHONY: help run dev install test lint lint-python lint-web test-unit test-web test-e2e client references bench bench-scale prove clean

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

run: $(RUNTIME) $(BUILT) ## Starts everything: API on 8000, web app on 5173
	@$(BIN)/feature up --with-parent

dev: $(DEVELOPMENT) $(WEB) ## The same, and restarts what is edited
	@$(BIN)/feature up --with-parent --reload

install: $(DEVELOPMENT) $(WEB) ## Installs all that the other targets need

test: lint test-unit test-web test-e2e ## All checks and tests (BROWSER=0 without the browser)

lint: lint-python lint-web ## Style, types and layers

lint-python: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/references.py --check

lint-web: $(DEVELOPMENT) $(WEB)
	$(BIN)/python scripts/openapi.py --check
	cd frontend && $(WITH_NODE) npm run --silent generate:check
	cd frontend && $(WITH_NODE) npm run --silent lint
	cd frontend && $(WITH_NODE) npm run --silent typecheck

test-unit: $(DEVELOPMENT) ## Python tests without the end-to-end ones
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not e2e and not prove and not alone"
	$(BIN)/python -m pytest -m "alone and not e2e and not prove"

test-web: $(WEB) ## Tests of the web app's parts
	cd frontend && $(WITH_NODE) npm run --silent test

test-e2e: $(DEVELOPMENT) $(BUILT) ## Tests against a server started as a user starts it
ifneq ($(BROWSER),0)
	@scripts/chromium.sh
endif
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "e2e and not prove and not alone$(NO_BROWSER)" backend/tests/e2e
	$(BIN)/python -m pytest -m "e2e and not prove and alone$(NO_BROWSER)" backend/tests/e2e

client: $(DEVELOPMENT) $(WEB) ## Generates the web app's client from the API
	$(BIN)/python scripts/openapi.py
	cd frontend && $(WITH_NODE) npm run --silent generate

references: $(DEVELOPMENT) ## Writes the references in the documents from the code
	$(BIN)/python scripts/references.py

bench: $(DEVELOPMENT) ## Measures everything against what it is compared with; half an hour on an idle machine
	$(BIN)/python -m benchmarks

bench-scale: $(DEVELOPMENT) ## Reads usage where 100 million events are stored (40 GB of disk, 15 minutes; or EVENTS=10000000)
	$(BIN)/python -m benchmarks.scale --events $(EVENTS)

prove: $(DEVELOPMENT) ## The full-size proofs; takes hours
	FEATURE_TESTS_HOME=var/tests $(BIN)/python -m pytest -m prove

clean: ## Removes what was installed or built; data in var/ stays
	rm -rf "/dev/shm/feature-tests-$$(id -u)-$$(printf %s "$(realpath .)" | sha256sum | cut -c1-12)"
	rm -rf .venv frontend/node_modules frontend/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV):
	@python=$$(scripts/python.sh) && "$$python" -m venv .venv

$(RUNTIME): requirements/runtime.txt $(PROJECTS) | $(VENV)
	@echo "Installing the Python packages" >&2
	@$(PIP) --require-hashes -r requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation -e . -e sdk/python
	@touch $@

$(DEVELOPMENT): requirements/dev.txt $(RUNTIME)
	@echo "Installing the development packages" >&2
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(NODE): requirements/node.txt scripts/node.sh | $(RUNTIME)
	@scripts/node.sh
	@touch $@

$(WEB): frontend/package-lock.json $(NODE)
	@echo "Installing the web app's packages" >&2
	@cd frontend && $(WITH_NODE) npm ci --silent --ignore-scripts
	@touch $@

$(BUILT): $(WEB) $(shell find frontend/src frontend/public -type f) $(wildcard frontend/*.ts frontend/*.json frontend/.env* frontend/index.html)
	@echo "Building the web app" >&2
	@touch frontend/node_modules/.building
	@cd frontend && $(WITH_NODE) npm exec --no -- vite build --logLevel warn
	@mv frontend/node_modules/.building $@

# Verbs of the project. `make run` needs nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
NODE := tests/node/node_modules/.package-lock.json

.PHONY: run test test-all lint format bench demo openapi client vendor lock clean help

help:            ## this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

run: $(INSTALLED)  ## run the daemon in the foreground (PORT=… WEBSOCKET_PORT=… DECABILLD_DATA_DIR=… make run)
	@$(BIN)/decabilld serve $(if $(wildcard decabilld.env),--env-file decabilld.env)

test: $(DEVELOPED) $(NODE)  ## every test but the heavy proofs
	$(BIN)/pytest -n 2 -m "not heavy"

test-all: $(DEVELOPED) $(NODE)  ## every test
	$(BIN)/pytest -n 2

lint: $(DEVELOPED)  ## format, style, types, walls between rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPED)  ## write code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEVELOPED)  ## measure; writes bench/results.json
	$(BIN)/python -m bench

demo: $(INSTALLED)  ## a daemon of its own bills half a year; PDFs in ./demo-out
	@$(BIN)/decabilld demo --out ./demo-out

openapi: $(INSTALLED)  ## write the contract's checked-in copies, docs/openapi.yaml and docs/asyncapi.yaml
	$(BIN)/decabilld openapi > docs/openapi.yaml
	$(BIN)/decabilld asyncapi > docs/asyncapi.yaml

client: $(DEVELOPED) $(NODE)  ## generate a TypeScript and a Python client into build/client, and compile them
	$(BIN)/python -m tests.contract.clients build/client

vendor: $(NODE)  ## take what the pages under /docs bundle from npm, as tests/node/package.json pins it
	node tests/node/vendor.mjs decabilld/http/assets/vendor

lock: $(DEVELOPED)  ## write requirements.lock from what is installed
	$(BIN)/pip freeze --exclude-editable | grep -vi '^decabilld' > requirements.lock

clean:  ## remove what was built, not data
	rm -rf $(VENV) tests/node/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("decabilld needs Python 3.11 or newer; say which with PYTHON=…") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(DEVELOPED): pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@ $(INSTALLED)

# What the tests need of npm; without npm they are skipped, except in CI.
$(NODE): tests/node/package-lock.json
	command -v npm > /dev/null && npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --silent || test -z "$$CI"

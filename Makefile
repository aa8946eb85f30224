# Verbs of the project. `make run` needs nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
NODE := tests/node/node_modules/.package-lock.json
SERVERS := tests/external/servers/node_modules/.package-lock.json
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit("decabilld needs Python 3.11 or newer; say which with PYTHON=…") if sys.version_info < (3, 11) else None'

PREFIX ?= /opt/decabilld
STAGE = $(DESTDIR)$(PREFIX).new
LIB := /usr/local/lib
COMMAND_DIR := /usr/local/sbin
DOC := /usr/local/share/doc/decabilld
ENV_FILE = $(DESTDIR)/etc/decabilld/decabilld.env
UNITS := decabilld.service decabilld.socket decabilld-socketio.socket
TELL_SYSTEMD = systemd-sysusers decabilld.conf && systemd-tmpfiles --create decabilld.conf && systemctl daemon-reload

.PHONY: run test test-all lint format bench demo openapi client vendor lock clean settings install uninstall help

help:            ## this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  +##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

run: $(INSTALLED)  ## run the daemon in the foreground (PORT=… WEBSOCKET_PORT=… DECABILLD_DATA_DIR=… make run)
	@$(BIN)/decabilld serve $(if $(wildcard decabilld.env),--env-file decabilld.env)

test: $(DEVELOPED) $(NODE)  ## every test but the heavy proofs
	$(BIN)/pytest -n 4 --dist worksteal -m "not heavy"

test-all: $(DEVELOPED) $(NODE) $(SERVERS)  ## every test
	$(BIN)/pytest -n 4 --dist worksteal

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

settings: $(INSTALLED)  ## write config/decabilld.env.example: every setting with its meaning and default
	$(BIN)/decabilld settings --env > config/decabilld.env.example

vendor: $(NODE)  ## take what the pages under /docs bundle from npm, as tests/node/package.json pins it
	node tests/node/vendor.mjs decabilld/http/assets/vendor

lock: $(DEVELOPED)  ## write requirements.lock from what is installed
	$(BIN)/pip freeze --exclude-editable | grep -vi '^decabilld' > requirements.lock

install:  ## install under PREFIX (/opt/decabilld), with units and /etc/decabilld; DESTDIR=… stages; PYTHON=… chooses
	$(CHECK_PYTHON)
	rm -rf "$(STAGE)" && umask 022 && $(PYTHON) -m venv "$(STAGE)"
	umask 022 && "$(STAGE)/bin/python" -m pip install --quiet --disable-pip-version-check -c requirements.lock .
	grep -rlIF "$(STAGE)" "$(STAGE)/bin" "$(STAGE)/pyvenv.cfg" | xargs sed -i "s|$(STAGE)|$(PREFIX)|g"
	# The version before stays beside it: `mv` brings it back. Until the restart the old daemon goes on.
	rm -rf "$(DESTDIR)$(PREFIX).old" && if [ -e "$(DESTDIR)$(PREFIX)" ]; then mv "$(DESTDIR)$(PREFIX)" "$(DESTDIR)$(PREFIX).old"; fi
	mv "$(STAGE)" "$(DESTDIR)$(PREFIX)"
	install -d $(addprefix $(DESTDIR)$(LIB)/,systemd/system sysusers.d tmpfiles.d) $(DESTDIR)/etc/decabilld $(DESTDIR)$(DOC)
	for unit in $(UNITS); do sed "s|/opt/decabilld|$(PREFIX)|" systemd/$$unit > $(DESTDIR)$(LIB)/systemd/system/$$unit; done
	install -m 644 systemd/decabilld.sysusers $(DESTDIR)$(LIB)/sysusers.d/decabilld.conf
	install -m 644 systemd/decabilld.tmpfiles $(DESTDIR)$(LIB)/tmpfiles.d/decabilld.conf
	install -d $(DESTDIR)$(COMMAND_DIR) && sed "s|/opt/decabilld|$(PREFIX)|" systemd/decabilld.sh > $(DESTDIR)$(COMMAND_DIR)/decabilld
	chmod 755 $(DESTDIR)$(COMMAND_DIR)/decabilld
	install -m 644 config/* docs/*.md $(DESTDIR)$(DOC)
	[ -e $(ENV_FILE) ] || (umask 077 && sed 's|^#DECABILLD_DATA_DIR=$$|DECABILLD_DATA_DIR=/var/lib/decabilld|' \
	    config/decabilld.env.example > $(ENV_FILE))
	$(if $(DESTDIR),,if [ -d /run/systemd/system ]; then $(TELL_SYSTEMD); fi)

uninstall:  ## remove what install has made; settings, secrets, data and the user stay
	$(if $(DESTDIR),,-systemctl disable --now decabilld.socket decabilld-socketio.socket decabilld.service)
	rm -rf "$(DESTDIR)$(PREFIX)" "$(DESTDIR)$(PREFIX).old" $(DESTDIR)$(DOC) $(addprefix $(DESTDIR)$(LIB)/systemd/system/,$(UNITS))
	rm -f $(DESTDIR)$(COMMAND_DIR)/decabilld $(DESTDIR)$(LIB)/sysusers.d/decabilld.conf $(DESTDIR)$(LIB)/tmpfiles.d/decabilld.conf
	$(if $(DESTDIR),,if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi)

clean:  ## remove what was built, not data
	rm -rf $(VENV) tests/node/node_modules tests/external/servers/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(DEVELOPED): pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@ $(INSTALLED)

# What the tests need of npm; without npm they are skipped, except in CI.
$(NODE) $(SERVERS): %/node_modules/.package-lock.json: %/package-lock.json
	command -v npm > /dev/null && npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent || test -z "$$CI"

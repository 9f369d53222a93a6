# Everything a developer or a curious operator does, one target each. `make help` lists them.
# Needs python3 (3.11 or newer, with venv) and make; all else goes into .venv, locked by hash.

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input
ARGS ?=

# What some tests drive beside us: a program (or library) to look for, and the Debian package that brings it.
# Chromium shows the pages; package managers judge our version orders by their own; directories (OpenLDAP, Samba),
# an identity provider (SimpleSAMLphp), a log server and a reverse proxy are what people connect us with.
# A path stands for a package without a program.
PEERS := chromium:chromium dpkg:dpkg librpm.so:librpm9 libalpm.so:libalpm13 node:nodejs npm:npm \
    java:default-jre-headless mvn:maven go:golang-go apt-get:python3-apt \
    slapd:slapd ldapadd:ldap-utils samba-tool:samba-ad-dc /usr/share/samba/setup/ad-schema:samba-ad-provision \
    winbindd:winbind /usr/share/simplesamlphp/www/index.php:simplesamlphp /usr/share/doc/php-xml:php-xml \
    /usr/share/doc/php-mbstring:php-mbstring /usr/share/doc/php-sqlite3:php-sqlite3 php:php-cli \
    rsyslogd:rsyslog /usr/share/doc/rsyslog-gnutls:rsyslog-gnutls nginx:nginx-light

.DEFAULT_GOAL := help
.PHONY: help run test check fmt bench quality peers lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{printf "  make %-9s %s\n", $$1, $$2}'

run: $(VENV)/.runtime ## start SentriKat with its own database (make run ARGS=--no-demo)
	@$(PYTHON) -m sentrikat up $(ARGS)

test: $(VENV)/.dev ## run all tests on a database of their own (make test ARGS="-k kev")
	@$(PYTHON) -m pytest -n 2 $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import ladder, guards
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PYTHON) -m pytest -q tests/guards

fmt: $(VENV)/.dev ## format and fix what can be fixed
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.dev ## measure the budgets (make bench ARGS="--only reports"; --help names the rest)
	@$(PYTHON) -m benchmarks.versions
	@$(PYTHON) -m benchmarks $(ARGS)

quality: $(VENV)/.dev ## score matching against the labeled evaluation set
	@$(PYTHON) -m tests.quality $(ARGS)

peers: ## install the programs that tests compare us with (Debian, as root)
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=""; for p in $(PEERS); do what=$${p%%:*}; package=$${p##*:}; \
	    case $$what in \
	        /*) [ -e "$$what" ] || missing="$$missing $$package";; \
	        *.so) /sbin/ldconfig -p | grep -q "$$what" || missing="$$missing $$package";; \
	        apt-get) /usr/bin/python3 -c 'import apt_pkg' 2>/dev/null || missing="$$missing $$package";; \
	        *) command -v $$what >/dev/null || missing="$$missing $$package";; \
	    esac; done; \
	if [ -z "$$missing" ]; then echo "All peers are installed."; \
	elif [ "$$(id -u)" != 0 ]; then echo "As root: apt-get install$$missing"; exit 1; \
	else apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends -o DPkg::Lock::Timeout=300 $$missing; fi

lock: ## resolve the dependencies anew into requirements/*.lock (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --python-version 3.11 --extra embedded pyproject.toml -o requirements/runtime.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --python-version 3.11 --extra embedded --group dev pyproject.toml requirements/build.in \
	    -c requirements/runtime.lock -o requirements/dev.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --python-version 3.11 requirements/build.in -o requirements/build.lock

clean: ## remove the virtual environment and caches (never var/, the data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# pip compares and installs what the lock files say, hash by hash; unchanged files cost nothing.
$(VENV)/bin/python:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SentriKat needs Python 3.11 or newer; name it with PYTHON3=...")'
	@echo "Creating $(VENV)"
	@$(PYTHON3) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock requirements/build.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing SentriKat into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/build.lock
	@$(PIP) install --quiet --require-hashes -r requirements/runtime.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV) (once)"
	@$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

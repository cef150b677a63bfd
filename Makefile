# make run      the whole product on this machine, in the foreground (PORT=8080 STATE=.local RESET=1)
# make up       the same in the background; addresses in .local/stack.json
# make down     ends it
# make test     checks, unit tests, simulation, the running stack, a real browser that walks it
# make test-dates  the tests that need neither, on days that calendars are known for (DATES="2028-02-29 …")
# make pages    the page in each of its states, and a year of an account, in a real browser
# make simulate histories with faults, until SEEDS of them are played (SEEDS=1000000 JOBS=2 FIRST=0)
# make check    lint, types and templates only
# make mutants  changes the code and counts what no test notices (MODULES='billing.domain.credits*')
# make openapi  writes the OpenAPI document anew from the code
# make tour     makes the README's screenshots anew
# make token    prints a bearer token (ACCOUNT=acme ROLE=manager EMAIL=ana@acme.test SCOPE=…)
# make pins     writes the pinned versions and hashes from pyproject.toml (UPGRADE=1)
#
# The first command sets up .venv by uv: the one on PATH, or else one that pip installs there.

# Any Python from 3.11 on; PYTHON=… names another one.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
VENV = .venv/bin/python

.PHONY: run up down token test test-dates pages simulate mutants check openapi tour pins

run: environment-local
	@$(VENV) -m infra.local.stack run

up: environment-local
	@$(VENV) -m infra.local.stack up

down: environment-local
	@$(VENV) -m infra.local.stack down

token: environment-local
	@$(VENV) -m infra.local.stack token

test: check
	@$(VENV) -m pytest --numprocesses=3 -m "not page"

test-dates: environment-dev
	@$(VENV) -m tests.dates $(DATES)

pages: environment-dev
	@$(VENV) -m pytest --numprocesses=2 -m page

simulate: environment-dev
	@PYTHONPATH=.:layers/common:functions $(VENV) -m tests.simulation.histories \
		--seeds $(or $(SEEDS),1000000) --jobs $(or $(JOBS),2) --first $(or $(FIRST),0) \
		$(if $(SEED),--seed $(SEED))

mutants: environment-mutants
	@$(VENV) -m tests.mutants $(foreach module,$(MODULES),'$(module)')

check: environment-dev
	@$(VENV) -m ruff check --quiet .
	@$(VENV) -m ruff format --quiet --check .
	@$(VENV) -m mypy
	@.venv/bin/cfn-lint template.yaml infra/*.yaml
	@$(VENV) -m infra.openapi --check

openapi: environment-dev
	@$(VENV) -m infra.openapi

tour: environment-dev
	@$(VENV) -m tests.browser.tour

# Pins hold for Python 3.11 and newer.
PIN = PATH="$$PATH:$(CURDIR)/.venv/bin" UV_CUSTOM_COMPILE_COMMAND="make pins" uv pip compile --quiet \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade)
ALIKE = --no-annotate --constraint infra/local/pins/dev.txt

# The smaller sets are constrained to the versions of the largest one.
pins: environment-local
	@$(PIN) pyproject.toml --group dev --output-file infra/local/pins/dev.txt
	@$(PIN) pyproject.toml --group mutants $(ALIKE) --output-file infra/local/pins/mutants.txt
	@$(PIN) pyproject.toml --group local $(ALIKE) --output-file infra/local/pins/local.txt
	@$(PIN) pyproject.toml $(ALIKE) --output-file layers/common/requirements.txt
	@$(PIN) --group installer --no-annotate --output-file infra/local/pins/installer.txt

# environment-local: what the stack needs; -dev: what tests and checks need more; -mutants: and mutmut.
ENVIRONMENTS = environment-local environment-dev environment-mutants
.PHONY: $(ENVIRONMENTS)
$(ENVIRONMENTS): environment-%:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed$(if $(PYTHON),: $(PYTHON) is older or not there)." \
			"Install it, or say where it is: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m infra.local.environment $*

# Every command of the project. On a fresh machine: make demo, make test.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
TARGET ?= sandbox
EXPORT ?=
ARGS ?=
BIN := .venv/bin
DBT_DIRS := --project-dir dbt_project --profiles-dir dbt_project
IS_SANDBOX := $(filter sandbox,$(TARGET))
# For the target sandbox, commands get its addresses and passwords in the environment.
ENVIRONMENT := $(if $(IS_SANDBOX),eval "$$($(BIN)/python -m sandbox env)",true)
# uv, with the index and certificates of pip's settings.
UV := eval "$$($(BIN)/python pip_settings.py)" && $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --upgrade --universal --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --python-version 3.11

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: demo
demo: java setup archive ## run the whole pipeline on this machine: no AWS account needed
	@$(MAKE) load EXPORT=user_items TARGET=sandbox
	@eval "$$($(BIN)/python -m sandbox env)" && sandbox/demo.sh

# Each of the two processes has servers and a Spark session of its own. The slow files come first.
.PHONY: test
test: java setup archive ## run all tests; they start and stop their own servers
	@$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: load
load: java setup archive ## build what an export needs, then publish it  [EXPORT=user_items] [TARGET=prod]
	@$(if $(IS_SANDBOX),$(BIN)/python -m sandbox up,true)
	@$(ENVIRONMENT) && \
	$(BIN)/dbt --quiet build $(DBT_DIRS) --target $(TARGET) \
		$(if $(EXPORT),--select +exposure:$(EXPORT)) && \
	$(BIN)/loader load $(DBT_DIRS) --target $(TARGET) $(if $(EXPORT),--export $(EXPORT)) \
		$(if $(IS_SANDBOX),--create-table) $(ARGS)

.PHONY: dbt
dbt: setup ## run any dbt command  ARGS="test --select stg_retail__transactions"  [TARGET=prod]
	@$(ENVIRONMENT) && $(BIN)/dbt $(ARGS) $(DBT_DIRS) --target $(TARGET)

.PHONY: lint
lint: setup ## ruff, and sqlfluff with the dbt templater
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m sandbox run -- $(BIN)/sqlfluff lint dbt_project

.PHONY: check
check: lint ## all static checks: lint, types, imports, generated docs, dbt parse
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/dbt --quiet parse $(DBT_DIRS) --no-partial-parse

.PHONY: docs
docs: setup ## generate the reference pages and JSON Schemas of docs/ from the code
	@$(BIN)/python -m docs.generate

# A build writes into its source, so it gets a copy.
.PHONY: package
package: setup ## build the wheel of the loader, for machines without this repository, into dist/
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	tar -c --exclude=__pycache__ loader pyproject.toml README.md LICENSE | tar -x -C "$$copy" && \
	rm -f dist/*.whl && $(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python \
		--out-dir dist "$$copy" && ls dist/*.whl

.PHONY: bench bench-quick
bench: java setup archive ## compare the speed with two scripts, on a quiet machine: 80 minutes
	@$(BIN)/python -m benchmarks $(ARGS)
bench-quick: java setup archive ## a quick version of bench: 4 minutes
	@$(BIN)/python -m benchmarks --quick $(ARGS)

.PHONY: faults
faults: java setup ## try every fault with three seeds each: some minutes
	@$(BIN)/python -m tests.faults $(ARGS)

.PHONY: crash
crash: java setup ## kill loads at 48 moments, change the model, load again: some minutes
	@$(BIN)/python -m tests.crash $(ARGS)

.PHONY: pace
pace: java setup archive ## write with limits on the capacity, on a quiet machine: 10 minutes
	@$(BIN)/python -m tests.pace $(ARGS)

.PHONY: cluster
cluster: java setup ## load on Spark clusters, kill executors, workers and drivers: 10 minutes, as root
	@$(BIN)/python -m tests.cluster $(ARGS)

.PHONY: recipes
recipes: java setup archive ## carry out the recipes of docs/run-on-aws.md on this machine: 10 minutes
	@$(BIN)/python -m tests.recipes $(ARGS)

.PHONY: up down
up: setup ## start the sandbox
	@$(BIN)/python -m sandbox up
	@$(BIN)/python -m sandbox status
down: ## stop the sandbox
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sandbox down; fi

.PHONY: clean
clean: down ## stop the sandbox and remove all generated files, except the packages
	@rm -rf .sandbox .sandbox-bench .loader dbt_project/target dbt_project/logs
	@rm -rf reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache derby.log

.PHONY: setup
setup: .venv/installed .venv-sandbox/installed

# Packages are compiled here once: with PYTHONDONTWRITEBYTECODE, which many images set, each process
# would compile them again, about 1 CPU second per load.
.venv/installed: constraints.txt bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python must be 3.11 to 3.13, got %d.%d: install one and run \
	make PYTHON=python3.11" % sys.version_info[:2] if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	@echo "setup: installing the packages of constraints.txt into .venv" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes -r bootstrap.txt
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
		constraints.txt bootstrap.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q loader
	@touch $@

.venv-sandbox/installed: sandbox/requirements.txt .venv/installed
	@echo "setup: installing the sandbox's servers into .venv-sandbox" >&2
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-sandbox
	@$(UV) pip sync --quiet --python .venv-sandbox/bin/python --require-hashes \
		sandbox/requirements.txt
	@touch $@

# Spark starts with less work when its JVM finds its classes in the user's cache.
.PHONY: archive
archive: .venv/installed
	@$(BIN)/python -m loader.spark.class_archive

.PHONY: java
java:
	@"$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version >/dev/null 2>&1 || { \
		echo "Java 17 or later must be installed, got none: install a JDK (Debian: apt-get install" \
		"openjdk-17-jre-headless, macOS: brew install openjdk@17) or set JAVA_HOME" >&2; exit 1; }

.PHONY: lock
lock: setup ## select new versions of all packages
	@$(COMPILE) --extra dev --extra dbt --extra otel --extra spark pyproject.toml -o constraints.txt
	@$(COMPILE) sandbox/requirements.in -o sandbox/requirements.txt
	@$(COMPILE) benchmarks/requirements.in -o benchmarks/requirements.txt
	@$(COMPILE) tests/cluster/spark3/requirements.in -o tests/cluster/spark3/requirements.txt
	@$(COMPILE) tests/cluster/spark4/requirements.in -o tests/cluster/spark4/requirements.txt
	@$(COMPILE) deploy/airflow/requirements.in -o deploy/airflow/requirements.txt
	@$(COMPILE) deploy/dagster/requirements.in -o deploy/dagster/requirements.txt
	@$(COMPILE) deploy/cloudformation/requirements.in -o deploy/cloudformation/requirements.txt
	@$(COMPILE) bootstrap.in -o bootstrap.txt

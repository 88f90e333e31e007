# Each goal sets up what it needs in .venv; a second run finds it there and starts at once.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
DOCS_INSTALLED := $(VENV)/installed-docs
PATHS := sklearn_eql tests examples docs $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo test test-processors test-bounds docs lint format clean

help:
	@echo "make demo             find Kepler's third law in measured data"
	@echo "make test             run the tests (ARGS=... goes to pytest)"
	@echo "make test-processors  run those that search for laws under other processors' arithmetic (ARGS=...)"
	@echo "make test-bounds      run some with the oldest and the newest versions of all dependencies (ARGS=...)"
	@echo "make docs             build the documentation as web pages, from docs/_build/html/index.html on"
	@echo "make lint             check style, formatting and types"
	@echo "make format           apply the formatting that lint checks"
	@echo "make clean            remove the environment and what tools left behind"

demo: $(INSTALLED)
	$(PY) examples/kepler.py

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadfile $(ARGS)

test-processors: $(INSTALLED)
	$(PY) tests/processors.py $(ARGS) -- -n auto --dist loadfile

docs: $(DOCS_INSTALLED)
	OMP_NUM_THREADS=1 $(PY) -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

test-bounds: $(INSTALLED)
	OMP_NUM_THREADS=1 $(PY) tests/bounds.py -- $(ARGS)

lint: $(INSTALLED)
	$(PY) -m ruff check $(PATHS)
	$(PY) -m ruff format --check $(PATHS)
	$(PY) -m mypy

format: $(INSTALLED)
	$(PY) -m ruff check --fix $(PATHS)
	$(PY) -m ruff format $(PATHS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache demo_output docs/_build

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is missing or older than 3.11; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[plot,vision,test,dev]"
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	@touch $@

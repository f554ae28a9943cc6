# `make demo` and `make test` set everything up on a fresh machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= .venv-bench
LENS_VENV ?= .venv-bench-lens
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-slow lint types layers check fix bench validity clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=python3.12 or the like")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[offline,dev]'
	touch $(STAMP)

demo: install
	$(BIN)/interp-embed demo

test: install
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-slow: install
	$(BIN)/python -m pytest -q -m 'slow and not network and not gpu'

# Whole studies and the statistics against data whose truth is known; DATA may hold real reviews.
DATA ?= ../shared/data
validity: install
	$(BIN)/python benchmarks/validity.py --out docs/validity.md

lint: install
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports

check: lint types layers
	$(MAKE) test

fix: install
	$(BIN)/ruff format src tests benchmarks scripts
	$(BIN)/ruff check --fix src tests benchmarks scripts

# The predecessor in an environment of its own: its pins and ours need not agree.
$(BENCH_VENV)/.installed: constraints.txt
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet torch==2.13.0
	$(BENCH_VENV)/bin/python -m pip install --quiet hypothesaes==2.0.1 safetensors
	touch $(BENCH_VENV)/.installed

$(LENS_VENV)/.installed: constraints.txt
	test -x $(LENS_VENV)/bin/python || $(PYTHON) -m venv $(LENS_VENV)
	$(LENS_VENV)/bin/python -m pip install --quiet torch==2.13.0
	$(LENS_VENV)/bin/python -m pip install --quiet sae-lens==6.54.12 transformer-lens==3.9.0
	touch $(LENS_VENV)/.installed

bench: install $(BENCH_VENV)/.installed $(LENS_VENV)/.installed
	$(BIN)/python benchmarks/train_sae.py --predecessor $(BENCH_VENV)/bin/python
	$(BIN)/python benchmarks/select_features.py --predecessor $(BENCH_VENV)/bin/python
	$(BIN)/python benchmarks/embed.py
	$(BIN)/python benchmarks/recovery.py
	$(BIN)/python benchmarks/encode.py --predecessor $(LENS_VENV)/bin/python
	$(BIN)/python benchmarks/encode.py --predecessor $(LENS_VENV)/bin/python --features 65536 --documents 16
	$(BIN)/python benchmarks/store.py --documents 50000
	$(BIN)/python benchmarks/annotate.py --predecessor $(BENCH_VENV)/bin/python
	$(BIN)/python benchmarks/notebook.py --requests-a-day 1500
	$(BIN)/python benchmarks/analyses.py
	$(BIN)/python benchmarks/predict.py --data $(DATA) --predecessor $(BENCH_VENV)/bin/python

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(LENS_VENV) build dist demo-report .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

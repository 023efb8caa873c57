# Every verb sets up what it needs in .venv. PYTHON chooses the interpreter (3.11 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# On Linux, PyPI's torch brings gigabytes of CUDA. TORCH_INDEX=<index of CPU wheels> avoids them, as
# does a local folder of wheels (PIP_FIND_LINKS).
TORCH_INDEX ?=
TORCH_FROM = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# One thread a process: the suite and the demo already run one process a core.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

# Benchmark data that may not be redistributed.
export MAQUETTE_DATA ?= ../shared/data

# Many tests wait for processes and clocks rather than compute: more of them than cores.
WORKERS ?= 3
ARGS ?=
# CI runs everything; elsewhere the tests of more than a few seconds wait for `make test SLOW=1`.
MARKS = $(if $(CI)$(SLOW),,-m "not slow")

.PHONY: help setup demo test lint check bench bench-startup bench-steplaw bench-demo docs wheel clean

help:  ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Maquette needs Python 3.11 or newer; set PYTHON=python3.12, for example")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.torch: $(VENV)/.core
	$(PIP) $(TORCH_FROM) 'torch>=2.4'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch
	$(PIP) -e '.[torch,ray,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	$(PIP) -e '.[docs]'
	@touch $@

setup: $(VENV)/.dev  ## make .venv with everything that development needs

demo: $(VENV)/.torch  ## tune, predict and check on this machine (ARGS=--quick: under 2 minutes)
	$(BIN)/maquette demo $(ARGS)

test: $(VENV)/.dev  ## run the tests (SLOW=1: the slow ones too; CI runs all)
	$(BIN)/python -m pytest -n $(WORKERS) $(MARKS) $(ARGS)

lint: $(VENV)/.dev  ## style, types, layers, dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

check: lint test  ## lint, then test

bench: bench-startup bench-steplaw bench-demo bench-tuners  ## measure again what benchmarks/records holds, into build/bench (hours)

bench-startup: $(VENV)/.core
	$(BIN)/python benchmarks/startup/startup.py --repeats 20

bench-steplaw: $(VENV)/.dev
	@test -f $(MAQUETTE_DATA)/steplaw/dense.csv || { echo "set MAQUETTE_DATA to the folder that holds steplaw/dense.csv" >&2; exit 2; }
	mkdir -p build/bench/steplaw
	$(BIN)/python benchmarks/steplaw/inside.py
	$(BIN)/python benchmarks/steplaw/synthetic.py --repeats 6 --out build/bench/steplaw/synthetic.csv
	$(BIN)/python benchmarks/steplaw/evaluate.py --out build/bench/steplaw
	$(BIN)/python benchmarks/steplaw/planted.py --out build/bench/steplaw/planted.csv

bench-demo: $(VENV)/.dev
	mkdir -p build/bench/demo
	$(BIN)/python benchmarks/demo/measure.py --seeds 0 1 2 --out build/bench/demo/runs --record build/bench/demo

# Adds what is missing to the records of tuners where they stand, and writes the README's tables.
# Other tuners: maquette bench peers install, into MAQUETTE_PEERS.
bench-tuners: $(VENV)/.dev
	$(BIN)/python benchmarks/leaderboard/run.py
	$(BIN)/python benchmarks/leaderboard/readme.py

docs: $(VENV)/.docs  ## build the documentation to site/
	$(BIN)/sphinx-build -W --keep-going -q -b html docs site

wheel: $(BIN)/python  ## build the wheel to dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## remove what was built, .venv included
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Two commands do all the set-up on a fresh machine: `make compare` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
CONFIG ?= configs/adding.py
CLAIMS ?= configs/claims.py
EXTRAS ?= dev,applications
ARGS ?=
NATIVE := hatch_build.py $(shell find gru_research/native -name "*.cc" -o -name "*.h" -o -name build.py)

.PHONY: help compare claims applications test test-processes test-all native-check benchmark docs lint format wheel clean

help:
	@echo "make compare    GRU, LSTM and vanilla RNN on the adding problem (CONFIG=configs/FILE.py[:variant] ARGS=... for others)"
	@echo "make claims     a tutorial's claims about the GRU, run: one page of verdicts (CLAIMS=configs/claims.py[:full] ARGS=...)"
	@echo "make applications   the tutorial's uses of a GRU, on real data, in their short forms (ARGS=... for others)"
	@echo "make test       the tests of everything that a change is likely to break (ARGS=... goes to pytest)"
	@echo "make test-all   those, and then the tests of many processes and whole data sets: sweeps, kills, wheels, several hosts"
	@echo "make native-check   the native engine's C++ tests, under sanitizers"
	@echo "make benchmark  our layers' speed against six other libraries', which it installs (ARGS=... for suites and shapes)"
	@echo "make docs       the documentation's pages, in site/"
	@echo "make lint       ruff and pyright;  make format: ruff format"
	@echo "make wheel      dist/*.whl, compiled; make clean: removes the environment and what was built"

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# What the extras $(1) require. Asked for as extras, they would have the package installed, and the engine compiled, again.
REQUIRED = $$($(BIN)/python -c 'import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print(*(one for name in sys.argv[1].split(",") for one in extras[name]))' $(1))

# Stamps, so that an installation that broke off is done again. This one is of what running needs.
$(READY): pyproject.toml constraints.txt $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@$(BIN)/python -m gru_research.native
	@touch $@

# Each adds to what is there.
$(TOOLS): $(READY)
	$(PIP) $(call REQUIRED,$(EXTRAS))
	@touch $@

$(VENV)/.peers: $(READY)
	$(PIP) $(call REQUIRED,peers)
	@touch $@

$(VENV)/.docs: $(READY)
	$(PIP) $(call REQUIRED,docs)
	@touch $@

$(VENV)/.applications: $(READY)
	$(PIP) $(call REQUIRED,applications)
	@touch $@

compare: $(READY)
	$(BIN)/python -m experiments.compare --config=$(CONFIG) $(ARGS)

claims: $(READY)
	$(BIN)/python -m experiments.claims --config=$(CLAIMS) $(ARGS)

applications: $(VENV)/.applications
	$(BIN)/python -m experiments.suite --config=configs/suites/applications.py:quick $(ARGS)

PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal

# Status 5: ARGS names tests that are all in the other tier.
test: $(TOOLS)
	$(PYTEST) -m "not processes" $(ARGS) || [ $$? -eq 5 -a -n "$(filter test-all,$(MAKECMDGOALS))" ]

test-processes: $(TOOLS)
	$(PYTEST) -m processes $(ARGS) || [ $$? -eq 5 ]

test-all: test test-processes

native-check: $(READY)
	$(BIN)/python -m tests.native.checking

benchmark: $(VENV)/.peers
	$(BIN)/python -m experiments.benchmark --suite=cpu $(ARGS)

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(TOOLS)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(TOOLS)
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .ruff_cache

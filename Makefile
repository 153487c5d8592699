# One command each, on a machine with python3, pip and make. Everything lands in .venv and runs/.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES = tinygrad_seq tests examples benchmarks

.PHONY: demo test test-gpu test-definitions lint format bench wheel clean

demo: $(VENV)/.examples  ## train a language model on the text that Python ships with, and let it write
	$(BIN)/python examples/language_model.py --folder runs/demo --generate "The "

test: $(VENV)/.test  ## the whole test suite
	$(BIN)/python -m pytest -n auto -q

test-definitions: $(VENV)/.test  ## the same suite without compiled kernels: the definitions alone
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n auto -q tests

test-gpu: $(VENV)/.test  ## the same suite on CuPy arrays; fails where there is no GPU
	TINYGRAD_SEQ_TEST_BACKEND=cupy $(BIN)/python -m pytest -q tests

lint: $(VENV)/.test  ## style, formatting, types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(VENV)/.examples  ## figures of benchmarks/README.md, minutes (leave the machine alone meanwhile)
	$(BIN)/python benchmarks/node_cost.py
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/recurrent.py --rounds 9
	$(BIN)/python benchmarks/streaming.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/long_sequences.py
	$(BIN)/python benchmarks/second_order.py

wheel: $(VENV)/.test  ## build the wheel, install it into an empty environment elsewhere, train there
	BIN=$(abspath $(BIN)) PYTHON=$(PYTHON) bash .ci/wheel

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.examples: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[examples]'
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) runs dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where it is set, each of the many processes of the tests compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint format docs notebooks bench experiment clean

# Installed once; again only when the requirements change.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

setup: $(VENV)/installed

demo: setup
	mkdir -p runs
	$(BIN)/diffusionnag generate nasbench201 -n 256 --guide cifar10 --out runs/demo.jsonl --plot runs/demo.png

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What the tutorials print and draw, written into their pages; then each page as a notebook.
notebooks: setup
	$(BIN)/python docs/scripts/pages.py
	$(BIN)/python docs/scripts/notebooks.py

bench: setup
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.training_speed
	$(BIN)/python -m benchmarks.search_speed
	$(BIN)/python -m benchmarks.proxy_speed

# make experiment NAME=table3: measure a table of results/ again.
experiment: setup
	$(BIN)/python -m experiments $(NAME)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis

# `make demo` compresses the example faces, `make test` runs the fast tests; both install what they need into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint slow clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict invcomp

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[encoder]"
	touch $@

# random-face without what it declares: its networks are read, and its code, which needs all that, is not run
$(VENV)/installed-dev: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[encoder,dev,faces,openvino,distributed,qr]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps random-face
	touch $@

clean:
	rm -rf $(VENV) demo build dist

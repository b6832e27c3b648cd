# `make demo` compresses the example faces, `make test` runs the fast tests; both install what they need into .venv.
# `make web` builds the page that decodes in a browser, `make web-test` tests it; they need Node 20.19 or later with npm.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
WEB_PRIORS ?= faces faces-64
PRIORS := $(wildcard pretrained/*/prior.json)

.PHONY: demo test lint slow web web-test clean

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

# the static page, in web/dist
web: web/node_modules/.package-lock.json $(WEB_PRIORS:%=web/build/priors/%/prior.json)
	cd web && WEB_PRIORS="$(WEB_PRIORS)" npm run build

web-test: web web/build/golden/missing.json
	cd web && npm test

web/node_modules/.package-lock.json: web/package-lock.json web/package.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
		|| { echo "the page is built with Node 20.19 or later and npm; install them from https://nodejs.org"; exit 1; }
	cd web && npm ci --ignore-scripts
	touch $@

web/build/priors/%/prior.json: $(PRIORS) invcomp/exporting.py | $(VENV)/installed
	$(BIN)/invcomp export-decoder $* -o $(@D) --force

web/build/golden/missing.json: $(PRIORS) invcomp/exporting.py scripts/export_golden_priors.py tests/golden/priors.json | $(VENV)/installed-dev
	rm -rf $(@D)
	$(BIN)/python scripts/export_golden_priors.py $(@D)

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
	rm -rf $(VENV) demo build dist web/build web/dist web/node_modules web/*/node_modules web/decoder/dist

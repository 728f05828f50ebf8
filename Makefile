# Commands for newcomers: `make try`, `make align` and `make test`. The plain pip lines are in the README.
PYTHON ?= python3
CORE := .venv
DEV := .venv-test
ALIGN := .venv-align
REQUEST := Create an S3 bucket called invoices for acme. The website must be able to read it.

.PHONY: try align test lint clean

try: $(CORE)/.installed
	$(CORE)/bin/lawspeaker ask --seed 3 --temperature 1 "$(REQUEST)"

align: $(ALIGN)/.installed
	$(ALIGN)/bin/lawspeaker align recipes/quickstart.yaml

test: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -n auto

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/mypy recipes/nano

$(CORE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(ALIGN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(ALIGN)
	$(ALIGN)/bin/pip install --quiet --disable-pip-version-check -e '.[align]'
	touch $@

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(CORE) $(DEV) $(ALIGN) .pytest_cache .mypy_cache .ruff_cache .hypothesis

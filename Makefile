# Two commands for newcomers: `make try` and `make test`. The plain pip lines are in the README.
PYTHON ?= python3
CORE := .venv
DEV := .venv-test
REQUEST := Create an S3 bucket called invoices for acme. The website must be able to read it.

.PHONY: try test lint clean

try: $(CORE)/.installed
	$(CORE)/bin/lawspeaker ask --seed 5 --temperature 1 "$(REQUEST)"

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

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(CORE) $(DEV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

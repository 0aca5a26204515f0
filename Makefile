# make report: the demonstration, from nothing to the HTML report. make test: linters, types and tests.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: report test lint benchmark lock

report: $(VENV)/installed
	snakemake --cores all
	@echo "Report:" $(CURDIR)/results/*/report/report.html

test: lint
	pytest

lint: $(VENV)/installed
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow
	snakemake --lint
	mypy

benchmark: $(VENV)/installed
	python benchmarks/preparation.py
	python benchmarks/training_step.py
	python benchmarks/incremental_step.py
	python benchmarks/columns_step.py
	python benchmarks/workflow.py

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --requirement requirements.lock
	pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Pins what the bounds in pyproject.toml allow today; torch and torchvision stay at the versions that belong together.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0 torchvision==0.28.0 setuptools --editable ".[development]"
	(echo "# Every package, pinned; made by 'make lock' from the bounds in pyproject.toml."; \
	  build/lock/bin/pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//') > requirements.lock

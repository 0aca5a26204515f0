# make report: the demonstration, from nothing to the HTML report. make test: linters, types and tests.
# make plan SCALE=paper: what a scale costs, before anything runs. make verify: checkpoints against recorded numbers.
# Both take more options of their verb: make plan OPTIONS="--device cuda".
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: environment report plan verify test test-instruction-sets lint docs benchmark lock

environment: $(VENV)/installed

report: $(VENV)/installed
	snakemake --cores all
	@echo "Report:" $(CURDIR)/results/*/report/report.html

plan: $(VENV)/installed
	python -m taskshare plan $(if $(SCALE),--set scale=$(SCALE)) $(OPTIONS)

verify: $(VENV)/installed
	python -m taskshare verify $(if $(SCALE),--set scale=$(SCALE)) $(OPTIONS)

# Two files of tests at a time: most tests keep one core busy.
test: lint
	pytest --numprocesses 2 --dist loadfile

# What is computed, as processors without AVX-512 do it, and without AVX2, with one thread and with two.
test-instruction-sets: $(VENV)/installed
	set -e; for threads in 1 2; do for set in default:SSE41 avx2:AVX2; do \
	  export ATEN_CPU_CAPABILITY=$${set%:*} ONEDNN_MAX_CPU_ISA=$${set#*:} OMP_NUM_THREADS=$$threads; \
	  pytest --numprocesses 2 --dist loadfile -m "not slow" tests/training tests/evaluation; \
	done; done

lint: $(VENV)/installed
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow
	snakemake --lint
	mypy

# The documentation, in site/; a broken link is an error.
docs: $(VENV)/docs-installed
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "Documentation:" $(CURDIR)/site/index.html

benchmark: $(VENV)/installed
	python benchmarks/preparation.py
	python benchmarks/training_step.py
	python benchmarks/incremental_step.py
	python benchmarks/columns_step.py
	python benchmarks/workflow.py

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit('taskshare: needs Python 3.11.4 or newer; give one as make PYTHON=...' \
	  if sys.version_info < (3, 11, 4) else 0)"
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --requirement requirements.lock
	pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/docs-installed: $(VENV)/installed
	pip install --quiet --constraint requirements.lock --no-build-isolation --editable ".[docs]"
	touch $@

# Pins what the bounds in pyproject.toml allow today, in the lock and in conda's environment; torch and torchvision stay
# at the versions that belong together.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0 torchvision==0.28.0 setuptools --editable ".[development]"
	(echo "# Every package, pinned; made by 'make lock' from the bounds in pyproject.toml."; \
	  build/lock/bin/pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//') > requirements.lock
	awk -F'==' 'NR == FNR {pin[$$1] = $$2; next} / - .*==/ {name = $$1; sub(/^ *- /, "", name); \
	  $$0 = "      - " name "==" pin[name]} 1' requirements.lock workflow/envs/taskshare.yaml > build/taskshare.yaml
	mv build/taskshare.yaml workflow/envs/taskshare.yaml

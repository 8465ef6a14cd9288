# Every target prepares what it needs: the first one typed installs everything into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench install clean

help: ## Show this list
	@echo "make TARGET, on a machine with Python 3.11 or newer, git and make:"
	@awk -F ':.*## ' '/^[a-z]*:.*## / {printf "  %-10s%s\n", $$1, $$2}' Makefile

demo: $(READY) ## Train SSD-MobileNet on drawn shapes (4 to 8 minutes on two cores), print scores and speed; or TASK=classification, localization, semantic_segmentation, instance_segmentation, pose
	@$(BIN)/python train.py experiment=demo$(if $(TASK),_$(TASK))

test: $(READY) ## Run all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal -q

lint: $(READY) ## Check style (ruff) and that rooms import only downwards (import-linter)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

bench: $(READY) ## Time this project against torchvision and pycocotools, in turns
	@$(BIN)/python benchmarks/speed.py

install: $(READY) ## Install into .venv, again only when the requirements have changed

clean: ## Remove .venv and caches; runs/ and data/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, and $(PYTHON) is not; try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Installing into $(VENV); the first time takes some minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -e .
	@touch $@

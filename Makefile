# One line per task; the work is done by ./dtwin and the tools themselves. Start with: make help
.DEFAULT_GOAL := help
.PHONY: help install lock format lint types imports test conformance integration acceptance check up down demo
PYTHON := .venv/bin/python
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 16

install: ## make .venv with everything that development needs
	./dtwin test --help > /dev/null

lock: ## make the pinned requirements anew from pyproject.toml (needs uv)
	$(COMPILE) --extra local --output-file setup/requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra local --extra analytics --output-file setup/requirements/analytics.txt pyproject.toml
	$(COMPILE) --extra dev --output-file setup/requirements/dev.txt pyproject.toml
	echo uv | $(COMPILE) --output-file setup/requirements/uv.txt -

format: ## write the code in the house's form
	$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix .

lint: ## check style
	./dtwin test --only lint

types: ## check types
	./dtwin test --only types

imports: ## check the floors
	./dtwin test --only imports

test: ## run the unit tests
	./dtwin test --only unit

conformance: ## run the tables of cases
	./dtwin test --only conformance

integration: ## run the tests with one real service each
	./dtwin test --only integration

acceptance: ## run the whole stack through command line and browser
	./dtwin test --only acceptance

check: ## run everything, as the build machine does
	./dtwin test

up: ## start the stack
	./dtwin up

down: ## stop the stack
	./dtwin down

demo: ## run the demo until Ctrl-C
	./dtwin demo

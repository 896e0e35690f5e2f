# Every target runs on a fresh clone with git, make and Python 3.11 or newer, and asks nothing.
# uv is brought into .uv/ when it is not on PATH; everything else goes into .venv/.

.PHONY: help demo test e2e check bench nightly lock docs serve clean
.DEFAULT_GOAL := help

BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' Makefile

demo: ## the main job on embedded defaults: no key, no account, under a minute
	@.ci/install demo
	@$(BIN)/interlock demo

test: ## every test of the parts and of the whole; COVERAGE=1 measures branches too
	@.ci/install dev
	@.ci/peers
	@$(BIN)/python -m pytest -q $(if $(COVERAGE),--cov --cov-report=,)

e2e: ## the browser tests of the console
	@if [ -d tests/e2e ]; then .ci/install dev && $(BIN)/python -m pytest -q tests/e2e; \
	else echo "The console (apps/web) is not built yet, so there is no browser test to run."; fi

check: ## all gates and tests, exactly as CI runs them; SECTIONS="lint gates" runs some
	@.ci/run $(SECTIONS)

bench: ## measure start-up and throughput on this machine; FULL=1 for the whole sizes
	@.ci/install dev
	@INTERLOCK_BENCH_FULL=$(if $(FULL),1,0) $(BIN)/python tests/bench

nightly: ## the long checks whole: 2,644 documents of npm, every operation of GitHub and Stripe, every strict tool
	@.ci/install dev
	@.ci/peers documents
	@INTERLOCK_BENCH_NPM=build/npm/node_modules $(BIN)/python tests/bench/documents.py
	@FULL=1 INTERLOCK_FULL=1 $(BIN)/python -m pytest -q packages/tools/tests/test_corpus.py \
		tests/conformance/test_documents.py tests/conformance/test_strict_documents.py tests/conformance/test_round_trip.py
	@.ci/uv run --quiet --isolated --exact --package interlock-security --extra kingfisher --extra presidio \
		python tests/bench/scanners.py

lock: ## rewrite the pins, keeping those that fit; UPGRADE=1 takes the newest releases
	@"$$(.ci/python)" .ci/pins.py write $(if $(UPGRADE),--upgrade,)

docs: ## build the documentation into site/, warnings being errors
	@.ci/install docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet && echo "Built: site/index.html"

serve: ## run the gateway on 127.0.0.1:8420
	@.ci/install demo
	@$(BIN)/interlock serve

clean: ## remove what make put here, the environments included
	@rm -rf .venv .uv .uv.log site dist build htmlcov .coverage .coverage.* coverage.json
	@rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache uv.lock
	@find packages apps tests docs .ci -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Removed the environments, the caches and everything that was built."

# Every command of the project. `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
V := .venv/bin
SETUP := .venv/.complete

.PHONY: help setup demo dev test unit check fmt bench bench-server generate verify lock chaos install-manifest system cluster cluster-down e2e bench-operator
help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP)  ## the virtual environment (.venv) with edworkers in it
$(SETUP): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(V)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	$(V)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

SYSTEM := redis-server postgres pg_dump soffice pango
system: $(SETUP)
	@$(V)/python scripts/system.py $(SYSTEM)

demo: system  ## the main job, from LPUSH to answer, retries and dead letters
	$(V)/edworkers demo

dev: system  ## everything on this machine, from the manifests in manifests/examples
	$(V)/edworkers dev

MOTO := .venv-moto/.complete
$(MOTO): requirements/moto.txt
	$(PYTHON) scripts/side_environment.py

test: system $(MOTO)  ## every test, against real servers that the tests start, and in a real browser
	@$(V)/python scripts/system.py chromium promtool
	$(V)/python -m pytest -n 2 -q tests --ignore=tests/chart --ignore=tests/cluster
	$(V)/python -m pytest -q -p no:randomly --cov --cov-report=term:skip-covered tests/unit

unit: $(SETUP)
	$(V)/python -m pytest -q tests/unit tests/architecture

check: $(SETUP)  ## lint, types, layers and unit tests
	$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/lint-imports --no-cache
	$(V)/mypy
	$(V)/basedpyright
	$(V)/python scripts/generate.py --check
	$(V)/python -m scripts.dashboards --check
	$(V)/python -m pytest -q tests/unit tests/architecture

fmt: $(SETUP)  ## format the code
	$(V)/ruff check --fix-only .
	$(V)/ruff format .

bench: system  ## throughput, latency, memory and curves, beside other job systems (BullMQ needs npm)
	$(V)/python bench/run.py

bench-server: system  ## how soon the HTTP API answers, and how long a page takes with a million jobs
	$(V)/python bench/server.py
	$(V)/python bench/dashboard.py

bench-operator: $(SETUP) cluster  ## what the operator takes for 10, 100 and 500 pools, in the test cluster (twelve minutes)
	KUBECONFIG='$(CURDIR)/.cluster/kubeconfig' PATH="$(CURDIR)/.cluster/bin:$$PATH" PYTHONPATH=. $(V)/python bench/reconcile.py

JOBS ?= 20000
KILLS ?= 200
chaos: system  ## kill, freeze and cut at random, and check what happened: JOBS=20000 KILLS=200 SEED=… ONLY=plain
	$(V)/python -m tests.chaos.run --jobs $(JOBS) --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(WRITE),--write $(WRITE))

cluster: $(SETUP)  ## a real Kubernetes with KEDA for tests: by kind, or where no Docker answers as processes (root)
	@$(V)/python tests/cluster/local up

cluster-down: $(SETUP)  ## remove it without a trace
	@$(V)/python tests/cluster/local down

# A cluster of yours has to be named on the command line: one that the environment happens to name is left alone.
E2E_KUBECONFIG := $(if $(filter command,$(origin KUBECONFIG)),$(KUBECONFIG),$(CURDIR)/.cluster/kubeconfig)
e2e: $(SETUP) $(if $(filter command,$(origin KUBECONFIG)),,cluster)  ## the end-to-end tests, there or by KUBECONFIG=…
	KUBECONFIG='$(E2E_KUBECONFIG)' PATH="$(CURDIR)/.cluster/bin:$$PATH" $(V)/python -m pytest -p no:randomly -q tests/chart tests/cluster

generate: $(SETUP)  ## write again what is generated from the code
	$(V)/python scripts/generate.py
	$(V)/python -m scripts.dashboards

verify: $(SETUP)  ## fail if something generated is out of date
	$(V)/python scripts/generate.py --check
	$(V)/python -m scripts.dashboards --check

LOCK := $(V)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
  --python-version 3.11 --no-emit-package edworkers
install-manifest: $(SETUP)  ## write manifests/install.yaml of the chart (needs helm: make cluster brings it)
	PATH="$(CURDIR)/.cluster/bin:$$PATH" $(V)/python scripts/install_manifest.py

lock: $(SETUP)  ## pin the dependencies anew, with hashes and without an index; those of the images are among them
	$(LOCK) --extra dev pyproject.toml -o requirements.txt
	$(LOCK) --constraint requirements.txt --extra ai --extra webhook --extra email --extra database --extra server --extra otel pyproject.toml -o requirements/runner.txt
	$(LOCK) --constraint requirements.txt --extra ai --extra webhook --extra scheduled pyproject.toml -o requirements/documents.txt
	$(LOCK) --constraint requirements.txt --extra operator pyproject.toml -o requirements/operator.txt
	echo hatchling | $(LOCK) --constraint requirements.txt - -o requirements/build.txt
	printf '%s\n' 'moto[s3]>=5' flask flask-cors | $(LOCK) - -o requirements/moto.txt
	echo 'matplotlib>=3.10' | $(LOCK) - -o requirements/plots.txt
	for list in bench/peers/requirements/*.in; do $(LOCK) $$list -o $${list%.in}.txt || exit; done

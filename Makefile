# `make run` starts the platform, `make test` proves it; each sets up what it needs first.
.DEFAULT_GOAL := help
.PHONY: help setup run minio keycloak kubernetes-tools test test-quick test-lowest test-kubernetes test-peers test-all check fix bench soak peers images image-of image-locks

PY := .venv/bin/python
PYTEST := $(PY) -m pytest
SHARED := --maxprocesses 5 --dist loadscope --no-loadscope-reorder
SIDE_BY_SIDE := --numprocesses auto $(SHARED)
# Tests with databases and platforms wait more than they compute: a process more than there are cores.
WAITING := --numprocesses $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) $(SHARED)
# A folder of real products, where there is one: tests that read it run, and say so where not.
SKERRY_REAL_DATA ?= $(patsubst %/safe,%,$(abspath $(wildcard ../shared/data/safe)))
export SKERRY_REAL_DATA
# Test files stay compiled, whatever the shell says: to rewrite their assertions takes 10 s a process.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Make .venv and node_modules from the lock files (silent when nothing changed)
	@bash platform/setup.sh

run: setup ## Start the whole platform on this machine; Ctrl-C ends it
	@exec .venv/bin/skerry up --demo-when-empty

minio: setup # the object store of tests; where Go is absent they say that they were left out
	@$(PY) -m tests.tools.minio

keycloak: setup # the provider of tests of sign-on; where Maven or Java is absent they say that they were left out
	@$(PY) -m tests.tools.keycloak

kubernetes-tools: setup # Kubernetes' own programs for tests: the first time Go needs 12 minutes and more; FOR=folder of tests
	@$(PY) -m tests.kubernetes.tools.programs $(FOR)

test: setup minio ## All tests but the long ones and those against peers
	@$(PYTEST) tests/unit $(WAITING) $(LONG) $(if $(COVERAGE),--cov --cov-report=)
	@$(PYTEST) tests --ignore=tests/unit --ignore=tests/peers --ignore=tests/kubernetes --ignore=tests/helm $(WAITING) $(LONG)

test-quick: setup ## The fast unit tests, for daily work
	@$(PYTEST) tests/unit --quick $(SIDE_BY_SIDE)

test-lowest: setup ## The fast unit tests with the lowest versions that pyproject.toml allows
	@sh tests/lowest.sh $(SIDE_BY_SIDE)

test-kubernetes: FOR = tests/kubernetes tests/helm
test-kubernetes: setup minio kubernetes-tools ## Tests on a real control plane of Kubernetes, which Go builds first
	@$(PYTEST) tests/kubernetes tests/helm $(WAITING)

.PHONY: test-cluster
test-cluster: FOR = tests/cluster
test-cluster: setup minio kubernetes-tools ## The whole chart on a real node of this machine, or on KUBECONFIG; needs root
	@$(PYTEST) tests/cluster --capture=no

soak: setup minio ## Kill processes of two platforms until 200 runs each have ended; RUNS=, SEED=, ONLY=alone|team
	@$(PY) -m tests.soak.run $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

.PHONY: scale
scale: FOR = tests/kubernetes
scale: setup kubernetes-tools ## How far it carries, by simulation: ONLY=servers|apis|clusters|runs|attempts, PEOPLE=, OUTPUT=file
	@$(PY) -m tests.scale.run $(if $(ONLY),--only $(ONLY)) $(if $(PEOPLE),--people $(PEOPLE)) $(if $(OUTPUT),--output $(OUTPUT)) $(if $(PLOT),--plot $(PLOT))

images: setup ## Build the container images and test each inside; ONLY=analysis|hub|services, BASE=another base
	@$(PY) -m images.building $(if $(ONLY),--only $(ONLY)) $(if $(BASE),--base $(BASE)) $(if $(REGISTRY),--registry $(REGISTRY))

image-of: # an image of REPOSITORY's own lock, beside skerry-analysis; COMMIT=, REGISTRY=, PUSH=1
	@$(PY) -m images.building.own "$(REPOSITORY)" $(if $(COMMIT),--commit $(COMMIT)) $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(PUSH),--push)

image-locks: setup # after a change of requirements.lock: what each image takes of it
	@$(PY) -m images.building.subsets

peers: setup
	@sh tests/peers/setup.sh .peers tests/peers .venv/bin/python "titiler-xarray, xpublish-tiles, rio-tiler, odc-stac"
	@sh tests/peers/setup.sh .reference tests/reference 3.11 "eopf 2.8.1, satpy"
	@sh tests/peers/setup.sh .geozarr tests/peers/eopf_geozarr .venv/bin/python "eopf-geozarr 0.12.0"
	@sh tests/peers/setup.sh .state tests/peers/state .venv/bin/python "stac-fastapi-pgstac, papermill"

test-peers: peers ## Tests against other projects, each in an environment of its own
	@$(PYTEST) tests/peers $(SIDE_BY_SIDE)

test-all: LONG = --long
test-all: test test-kubernetes test-peers ## All of them, the long ones too

check: setup ## Style, types, import rows
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache | tail -n +1

fix: setup ## Mend what ruff can mend: style, order of imports
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

bench: peers minio ## Speed and memory beside peers in the same run; ONLY=name for one
	@$(PY) -m tests.benchmarks.run $(if $(ONLY),--only $(ONLY))

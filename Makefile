# `make help` lists what there is. Everything runs from a fresh Debian machine as root: python3, make, git and apt are enough.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup packages demo stop clean test test-fast test-bad-days test-conformance test-conformance-full

export SIMPLE_ANALYTICS_CACHE ?= $(HOME)/.cache/simple-analytics
# What package managers download is part of the cache.
export UV_CACHE_DIR := $(SIMPLE_ANALYTICS_CACHE)/uv
export PIP_CACHE_DIR := $(SIMPLE_ANALYTICS_CACHE)/pip
export CONTAINERS_CONF := $(SIMPLE_ANALYTICS_CACHE)/containers.conf
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# A user's own settings must not lead a test astray.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Molecule keeps its state there, which must go with the hosts.
export ANSIBLE_HOME := $(CURDIR)/.ansible

# Hosts are ended by what started them. A checkout without an environment has none, unless somebody removed that by hand.
with-ansible = if [ -e .venv/.complete ]; then ansible-playbook $(1); \
	elif [ -n "$$(podman ps --all --quiet --filter label=checkout=$(CURDIR) 2>/dev/null)" ]; then \
	  echo "This checkout has hosts, but no .venv to end them from: run 'make setup' first." >&2; exit 1; \
	else echo "Nothing was started here."; fi

link := .ansible/collections/ansible_collections/simple_analytics/pipeline

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

setup: packages .venv/.complete $(link) ## Install what everything else needs: Debian packages and a Python environment

packages:
	@missing=$$(for p in $$(sed 's/#.*//' sandbox/bindep.txt tests/bindep.txt); do dpkg-query --show --showformat='$${db:Status-Status}' "$$p" 2>/dev/null | grep -qx installed || echo "$$p"; done); \
	if [ -n "$$missing" ]; then \
	  echo "== Installing Debian packages:" $$missing; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

.venv/.complete: requirements.txt tests/requirements.txt sandbox/bootstrap.txt sandbox/logstash/requirements.txt | packages
	@echo "== Making the Python environment in .venv"
	@rm -rf .venv
	@python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check -r sandbox/bootstrap.txt
	@uv pip install -q --python .venv/bin/python -r requirements.txt -r tests/requirements.txt
	@touch $@

$(link):
	@mkdir -p $(dir $@)
	@ln -sfn ../../../.. $@

# As they are given: a pattern may end in a dollar sign, a path have any character.
demo: override export LOGS := $(value LOGS)
demo: override export PIXEL_PATH := $(value PIXEL_PATH)
demo: setup ## The main job on this machine: landscape, site.yml, traffic, ledger [LOGS=path] [PIXEL_PATH=regex]
	@bash sandbox/demo.sh

stop: ## Leave nothing running and nothing mounted
	@$(call with-ansible,sandbox/stop.yml)

clean: ## Leave nothing on disk but the download cache
	@$(call with-ansible,sandbox/clean.yml)
	@rm -rf .venv .ansible .cache .mypy_cache .pytest_cache .ruff_cache analytics-local-*.rewind
	@find . -name __pycache__ -prune -exec rm -rf {} +

test: setup ## Every check and test; ends with 'N passed, N failed'
	@python3 -m tests.run

test-conformance: setup ## Rewinds of real consumers: every library on every lineage with its worker in every state
	@pytest -n 2 tests/conformance --cases=wide

test-conformance-full: setup ## Every combination; goes on where it was ended
	@pytest -n 2 tests/conformance --cases=all

test-bad-days: setup ## Bad days of a cluster of three nodes, each longer than a minute
	@ANSIBLE_INVENTORY=inventories/local,tests/e2e/three_nodes bash -c 'make demo && pytest tests/e2e/test_bad_days.py tests/e2e/test_reindex.py --long'

test-fast: setup ## Linters and unit tests only
	@python3 -m tests.run fast

# The only door for people and for CI. Each recipe calls one step of ci/; `make` alone prints help.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3#       Python >= 3.11 that makes .venv
CLUSTER ?= auto#         auto | kind | embedded
DAG ?=#                  make run DAG=demo__import_rates
INSTALL ?= 1#            0: only print the distribution packages that are missing
IMAGES ?=#               images for make images and make push; all of this repo by default
REF ?=#                  branch of make preview
TTL ?= 24h#              how long a preview lives: 90m, 24h, 3d
REGISTRY ?=#             make push REGISTRY=ghcr.io/acme/cronlift
SCAN ?=#                 scanner of images: SCAN='grype sbom:{sbom} --fail-on high'
VERSION ?=#              v1.2.3, of make chart-package and make release
YES ?=#                  1: really do what make reset announces
ENV ?=#                  local | staging | production, for render, diff, deploy and previews
BASE ?= origin/main#     what make diff and make plan compare with
CONTEXT ?=#              kubeconfig context of make deploy; without it, the one named as ENV
TEAM ?=#                 make new-team, new-dag: its name
NAME ?=#                 make new-dag, new-app: the DAG's or the app's name
OWNERS ?=#               make new-team: reviewers, "@organisation/billing b@example.com"; without them @TEAM
DIR ?=#                  make new-app: where to write it (../NAME)
IMAGE ?=#                make bump: a name of jobImages, or a repository in full
TAG ?=#                  make bump: tag or digest
ARGS ?=#                 further words for the step (make test ARGS="-k browser")
export CLUSTER INSTALL YES SCAN
export REF TTL ENV CONTEXT
export PYTHONUTF8 := 1

step := .venv/bin/python -m ci
cronlift := .venv/bin/cronlift

##@ Use
.PHONY: help up status run logs ui
help: ## Print this help.
	@$(PYTHON) ci/make_help.py $(MAKEFILE_LIST)

up: .venv ## Bring the whole platform up (or back), run the demo jobs, print URL and login.
	@$(step).up $(ARGS)

status: .venv ## Say what runs and what does not.
	@$(step).status $(ARGS)

run: .venv ## Run one DAG now and follow it (DAG=demo__import_rates).
	@$(step).run_dag $(DAG) $(ARGS)

logs: .venv ## Print the logs of the platform's pods.
	@$(step).logs $(ARGS)

ui: .venv ## Print the address and login of the UI, and open it where there is a browser.
	@$(step).ui $(ARGS)

##@ Write
.PHONY: new-team new-dag new-app bump
new-team: .venv ## Add a team: teams.yaml, its folder, its reviewers (TEAM=billing OWNERS="@org/billing").
	@$(cronlift) new team '$(TEAM)' $(OWNERS:%=--owner=%) $(ARGS)

new-dag: .venv ## Write a DAG, its Job and its test, which pass every check (TEAM=billing NAME=send_invoices).
	@$(cronlift) new dag '$(TEAM)' '$(NAME)' $(ARGS)

new-app: .venv ## Write a repository for new code in any language, with its image and CI (NAME=invoice-mailer).
	@$(cronlift) new app '$(NAME)' $(if $(DIR),'$(DIR)') $(ARGS)

bump: .venv ## Bring an image's new tag into values and manifests (IMAGE=legacy TAG=8d1e44a09b7c).
	@$(cronlift) bump '$(IMAGE)' '$(TAG)' $(ARGS)

##@ Deploy
.PHONY: render diff deploy images push
render: .venv ## Print what an environment consists of (ENV=production).
	@$(step).environment render $(ENV) $(ARGS)

diff: .venv ## Print what a change does to an environment (ENV=production, BASE=origin/main).
	@$(step).environment diff $(ENV) --base=$(BASE) $(ARGS)

deploy: .venv ## Bring an environment to what its files say: a helm upgrade (ENV=production, CONTEXT=).
	@$(step).environment deploy $(ENV) $(if $(CONTEXT),--context=$(CONTEXT)) $(ARGS)

images: .venv ## Build the images that are new, run each, list its packages, scan it (IMAGES=, SCAN=).
	@$(step).image_release build $(IMAGES) $(ARGS)

push: .venv ## Push to a registry what it has not yet, under the tag of its content (REGISTRY=, IMAGES=, SCAN=).
	@$(step).image_release push $(IMAGES) --registry='$(REGISTRY)' $(ARGS)

##@ Preview
.PHONY: preview preview-down previews
preview: .venv ## Show a branch's DAGs in an Airflow of its own that runs nothing (REF=my-branch, TTL=24h, ENV=).
	@$(step).preview up

preview-down: .venv ## Remove a preview at once (REF=my-branch, ENV=).
	@$(step).preview down

previews: .venv ## List the previews and when they go (ENV=).
	@$(step).preview list

##@ End
.PHONY: down reset
down: .venv ## Remove the cluster and everything it left on this machine.
	@$(step).down $(ARGS)

reset: .venv ## Forget database, runs and logs, then bring up anew (YES=1; without it, says what is lost).
	@$(step).reset $(ARGS)

##@ Develop and test
.PHONY: check test test-live chart-install chaos bench scale fuzz plan pr summary doctor pins
check: .venv ## Lint, types, unit, DAG and chart tests, without a cluster.
	@$(step).check $(ARGS)

test: .venv ## Every tier that can run here, in its short form.
	@$(step).test $(ARGS)

test-live: .venv ## The live tiers in their long form.
	@$(step).test --long live $(ARGS)

chart-install: .venv ## Install and upgrade the chart with every values file of its ci/ folder (needs make up).
	@$(step).chart_install $(ARGS)

chaos: .venv ## Kill parts of the platform while Jobs run (long form).
	@$(step).test --long chaos $(ARGS)

bench: .venv ## Measure the platform, write build/bench.json (long form).
	@$(step).test --long bench $(ARGS)

scale: .venv ## Run thousands of Jobs at once on fake nodes, write docs/scale.md (long form).
	@$(step).test --long scale $(ARGS)

fuzz: .venv ## Property tests with many examples.
	@$(step).test --long fuzz $(ARGS)

plan: .venv ## Say what a change needs, from its files alone (BASE=origin/main).
	@$(step).plan --base='$(BASE)' $(ARGS)

pr: .venv ## Run at home what the pull request's workflow runs (BASE=origin/main).
	@$(step).pull_request --base='$(BASE)' $(ARGS)

summary: .venv ## Say what a change does to DAGs and environments, in Markdown (BASE=origin/main).
	@$(step).summary --base='$(BASE)' $(ARGS)

doctor: ## Say what this machine lacks and how to get it.
	@$(PYTHON) -m ci.doctor $(ARGS)

pins: .venv ## Fill empty digests in versions.env where a registry answers.
	@$(step).pins $(ARGS)

##@ For workflows
.PHONY: verdict comment chart-package release
verdict: .venv ## Say whether a workflow's jobs went well (NEEDS=).
	@$(step).verdict

comment: .venv ## Write a finished run's summary as a comment on its pull request.
	@$(step).comment

chart-package: .venv ## Package and sign the chart (CHART_SIGNING_KEY=, CHART_SIGNER=, VERSION=).
	@$(step).chart_package --version='$(VERSION)' $(ARGS)

release: .venv ## Make the release VERSION of chart and bills of materials, with gh.
	@$(step).release_assets '$(VERSION)' $(ARGS)

# Made again when the lock changes; a stamp inside makes it a no-op otherwise.
.PHONY: .venv
.venv:
	@$(PYTHON) -m ci.bootstrap

# Thin lines over scripts/, which run by themselves too. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help up down clean images test lint unit e2e faults fuzz bench

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## from nothing to a healthy service on port 8000 (PORT=8001 make up: another)
	@scripts/up.sh

down: ## stop the service; its data and images stay
	@scripts/down.sh

clean: ## down, and remove the data, the images and all else that make up made
	@scripts/clean.sh

images: ## build the images whose inputs have changed
	@scripts/docker.sh
	@scripts/images.sh

test: lint unit e2e ## everything that CI checks

lint: ## format, lints, documentation, dependencies, shell and Python syntax
	@scripts/lint.sh

unit: ## every test that needs no Docker
	@scripts/unit.sh

e2e: ## the tests against a real Docker
	@scripts/e2e.sh

faults: ## the fault corpus alone (FAULTS=zip_bomb,the_pipe/ make faults: the cases with one of these texts in their names)
	@scripts/faults.sh

fuzz: ## libFuzzer on all that reads what others wrote, a minute each (FUZZ_SECONDS=600 FUZZ=decode make fuzz: one of them, longer)
	@scripts/fuzz.sh $(FUZZ)

bench: ## latency, rates and memory beside the raw engine and an in-process service (BENCH="soak --kill" make bench: a long load)
	@scripts/bench.sh $(BENCH)

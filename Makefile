# The commands that a person runs; CONTRIBUTING.md says what each is for.
PACKAGES := ca-certificates gcc libc6-dev libvirt-daemon libvirt-dev pkg-config python3 python3-dev python3-venv
NODE_PACKAGES := busybox-static libvirt-clients libvirt-daemon-system qemu-system-x86 qemu-utils
BIN := .venv/bin

.PHONY: demo test check bench docs lock environment clean help

help:  ## say what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

environment:
	@scripts/system-packages $(PACKAGES)
	@scripts/python-environment

demo: environment  ## import the example estate; boot a guest, change it while it runs, delete it
	@scripts/system-packages $(NODE_PACKAGES)
	@scripts/demo

test: environment  ## run all tests, against a real API server and a real libvirt
	@scripts/system-packages $(NODE_PACKAGES)
	$(BIN)/python -m tests.harness.build
	$(BIN)/pytest

check: environment  ## linters, types, and the layers of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: environment  ## measure against peers, and keep the table in docs/benchmarks.md
	$(BIN)/python -m benchmarks.codec --output docs/benchmarks.md

docs: environment  ## write the pages and man pages of virtctl's verbs anew
	$(BIN)/python -m executor.cli.reference

lock:  ## pin the dependencies anew, with hashes
	uv pip compile --universal --generate-hashes --no-emit-index-url --extra libvirt --group dev -o requirements.lock pyproject.toml

clean:  ## remove what the commands above made
	rm -rf .venv demo-output build *.egg-info

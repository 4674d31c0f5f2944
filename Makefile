# The commands that a person runs; CONTRIBUTING.md says what each is for.
PACKAGES := ca-certificates gcc libc6-dev libvirt-daemon libvirt-dev pkg-config python3 python3-dev python3-venv
CLUSTER_PACKAGES := buildah containerd containernetworking-plugins debootstrap iproute2 libfaketime openssl runc
NODE_PACKAGES := busybox-static libvirt-clients libvirt-daemon-system qemu-system-x86 qemu-utils
BIN := .venv/bin
# Much of what tests do is wait. A file's tests go to one process, and a folder's files follow each other: they share servers.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: bench check clean cluster cluster-down demo docs environment help image lock test

help:  ## say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

environment:
	@scripts/system-packages $(PACKAGES)
	@scripts/python-environment

demo: environment  ## import the example estate; boot a guest, change it while it runs, delete it
	@scripts/system-packages $(NODE_PACKAGES)
	@scripts/demo

cluster: environment  ## a real Kubernetes cluster on this machine, with KubeVMM on it and a guest that runs
	@scripts/system-packages $(NODE_PACKAGES) $(CLUSTER_PACKAGES)
	@$(BIN)/python -m scripts.cluster up

cluster-down:  ## end that cluster, and all that it started
	@$(BIN)/python -m scripts.cluster down

image:  ## the container image, by docker, podman or buildah; BASE=IMAGE makes it from another base
	@scripts/image

test: environment  ## run all tests, against a real API server and a real libvirt
	@scripts/system-packages $(NODE_PACKAGES) $(CLUSTER_PACKAGES)
	$(BIN)/python -m tests.harness.build
	$(BIN)/pytest $(SIDE_BY_SIDE)

check: environment  ## linters, types, and the layers of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: environment  ## measure against peers, and keep the tables in docs/benchmarks.md
	@scripts/system-packages $(NODE_PACKAGES) $(CLUSTER_PACKAGES)
	$(BIN)/python -m tests.harness.build
	$(BIN)/python -m benchmarks.codec --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.estate measure --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.kube --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.node --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.placement --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.scale --output docs/benchmarks.md
	$(BIN)/python -m benchmarks.scale --guests 1000 --pace 40 --output docs/benchmarks.md

docs: environment  ## write the pages and man pages of virtctl's verbs anew
	$(BIN)/python -m executor.cli.reference

lock:  ## pin the dependencies anew, with hashes
	uv pip compile --universal --generate-hashes --no-emit-index-url --extra libvirt --group dev -o requirements.lock pyproject.toml
	echo setuptools | uv pip compile --universal --generate-hashes --no-emit-index-url --extra libvirt -c requirements.lock -o packaging/requirements.lock pyproject.toml -

clean:  ## remove what the commands above made
	rm -rf .venv demo-output build *.egg-info

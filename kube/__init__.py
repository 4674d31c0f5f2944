"""The controller runtime: what reads, caches, queues and writes Kubernetes objects, and nothing about guests."""

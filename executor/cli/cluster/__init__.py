"""The verbs as `kubectl virt` and `virtctl --context` have them: a cluster's API server in the place of a libvirt."""

"""The kube-scheduler extender: on which nodes a guest can run, and where it runs best, from caches alone."""

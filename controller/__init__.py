"""Decides, on a cluster, what is to become of the objects: one reconciler a file. Never touches libvirt."""

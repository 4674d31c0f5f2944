"""The only place that talks to libvirt."""

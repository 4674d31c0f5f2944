"""libvirt itself says whether what comes back from the mapping means what went in."""

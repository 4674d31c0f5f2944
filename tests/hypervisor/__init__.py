"""The wrappers round libvirt do to real hypervisors what they say."""

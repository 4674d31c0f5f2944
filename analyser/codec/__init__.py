"""The mapping itself: libvirt's elements to plain dicts and back, driven by the binding tables."""

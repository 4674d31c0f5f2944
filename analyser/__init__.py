"""libvirt XML to typed YAML and back: codec, readers and writers, importers, reports."""

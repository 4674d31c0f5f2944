"""The data of libvirt: grammar reader, generated binding tables, API types and the CRD generator."""

"""From libvirt's RelaxNG grammar to the binding tables: reader, types, names, writer."""

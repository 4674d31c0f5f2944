"""A whole estate of libvirt guests as Kubernetes objects: found, converted, proven, named and written."""

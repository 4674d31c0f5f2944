"""Makes a node's libvirt what objects say, and says how it stands; libvirt itself is the store.

Where objects come from (`source`) and where their status goes (`status`) are its two ends: a file and a terminal here,
an API server elsewhere.
"""

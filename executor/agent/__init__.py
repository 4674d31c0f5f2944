"""The daemon that keeps a node's libvirt as objects say: level-triggered, one object at a time, woken by events.

Where objects come from (`source.Source`) and where their status goes (`executor.engine.status.Sink`) are its two ends.
A folder is one pair of them (`folder`, `sink`); an API server is another.
"""

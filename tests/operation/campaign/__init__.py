"""Guests and operations on a cluster whose parts are killed at every step: ``python -m tests.operation.campaign``."""

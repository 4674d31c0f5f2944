"""Measures of speed and memory, each against its peers in the same run: ``make bench``."""

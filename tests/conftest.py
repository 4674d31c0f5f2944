"""What holds for every test."""

from __future__ import annotations

import signal

# A run in the background may ignore interrupts, and programs inherit that: then no test could send one.
signal.signal(signal.SIGINT, signal.default_int_handler)

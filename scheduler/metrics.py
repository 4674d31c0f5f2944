"""What Prometheus can ask of the extender."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

SECONDS: Final = Histogram(
    "kubevmm_extender_seconds", "How long an answer took.", ["verb"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5),
)  # fmt: skip
REFUSED: Final = Counter("kubevmm_extender_refused", "Nodes that could not run a guest.")

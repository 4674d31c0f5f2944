"""What the agent counts, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable


class Metrics:
    """The agent's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.passes = Counter(
            "kubevmm_agent_reconcile", "Passes over objects, by what became of them.", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "kubevmm_agent_reconcile_seconds", "How long a pass over an object takes.", ["kind"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60), registry=self.registry,
        )  # fmt: skip
        self.events = Counter("kubevmm_agent_events", "libvirt's events, by topic.", ["topic"], registry=self.registry)
        self.connected = Gauge("kubevmm_agent_connected", "Whether libvirt answers.", registry=self.registry)
        self.queue = Gauge(
            "kubevmm_agent_queue", "Objects in the work queue: due, in work, or waiting for a later time.", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self.failing = Gauge("kubevmm_agent_failing", "Objects whose last pass failed.", registry=self.registry)
        self.objects = Gauge(
            "kubevmm_agent_objects", "Objects of the source, by kind.", ["kind"], registry=self.registry
        )
        self.guests = Gauge(
            "kubevmm_agent_guests", "Guests by their printable status.", ["status"], registry=self.registry
        )
        self.problems = Gauge("kubevmm_agent_source_problems", "What cannot be read.", registry=self.registry)
        self._before: list[Callable[[], None]] = []

    def before_collecting(self, update: Callable[[], None]) -> None:
        """Have *update* set gauges right before they are read."""
        self._before.append(update)

    def text(self) -> bytes:
        """Return all of them in Prometheus' text form."""
        from prometheus_client import generate_latest  # noqa: PLC0415  (only who asks needs it)

        for update in self._before:
            update()
        return generate_latest(self.registry)

"""What can be measured of a running controller, under the names that dashboards for controllers know already."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

REQUESTS: Final = Counter("rest_client_requests", "Requests to the API server.", ["code", "method"])
REQUEST_SECONDS: Final = Histogram(
    "rest_client_request_duration_seconds", "From sending to the whole answer.", ["method"], buckets=_SECONDS
)
FLOW_SECONDS: Final = Counter("rest_client_rate_limiter_seconds", "Time spent waiting for our own flow control.")

LISTS: Final = Counter("reflector_lists", "Lists begun, streamed or in pages.", ["resource"])
WATCHES: Final = Counter("reflector_watches", "Watches begun.", ["resource"])
WATCH_EVENTS: Final = Counter("reflector_events", "Events received.", ["resource", "type"])
REFLECTOR_FAILURES: Final = Counter("reflector_failures", "Lists and watches that failed.", ["resource", "error"])
STORED: Final = Gauge("store_objects", "Objects in a store.", ["resource"])

DEPTH: Final = Gauge("workqueue_depth", "Keys that wait to be worked on.", ["name"])
ADDS: Final = Counter("workqueue_adds", "Keys added, those that were waiting already not counted.", ["name"])
RETRIES: Final = Counter("workqueue_retries", "Keys added again after a failure.", ["name"])
QUEUE_SECONDS: Final = Histogram("workqueue_queue_duration_seconds", "How long keys wait.", ["name"], buckets=_SECONDS)

RECONCILES: Final = Counter("controller_runtime_reconcile", "Reconciles by result.", ["controller", "result"])
RECONCILE_SECONDS: Final = Histogram(
    "controller_runtime_reconcile_time_seconds", "How long a reconcile takes.", ["controller"], buckets=_SECONDS
)
ACTIVE_WORKERS: Final = Gauge("controller_runtime_active_workers", "Reconciles under way.", ["controller"])

LEADS: Final = Gauge("leader_election_master_status", "1 while this process holds the lease.", ["name"])

APPLIES: Final = Counter("apply", "Applies by result: skipped, since nothing would change, or sent.", ["result"])
RECORDED: Final = Counter("events_recorded", "Events by result: written, counted or dropped.", ["result"])


class Requests:
    """What a session tells of its requests."""

    def waited(self, seconds: float) -> None:
        """Count *seconds* spent waiting for our own flow control."""
        FLOW_SECONDS.inc(seconds)

    def answered(self, method: str, code: str) -> None:
        """Count an answer of the status *code*, ``error`` for none."""
        REQUESTS.labels(code, method).inc()

    def took(self, method: str, seconds: float) -> None:
        """Count a request that took *seconds*, its retries included."""
        REQUEST_SECONDS.labels(method).observe(seconds)

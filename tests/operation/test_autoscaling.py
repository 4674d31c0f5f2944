"""Kubernetes' own autoscaler scales a set of guests by a metric that an API server of its own has."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.operation.conftest import eventually
from tests.operation.placing import anywhere
from tests.operation.test_replicasets import guests, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operation.placing import Placed

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
PATH = f"/apis/{GROUP}/{VERSION}"


class Metrics(http.server.BaseHTTPRequestHandler):
    """What an adapter for a monitoring system is: it says how many requests there are."""

    value: ClassVar = 0

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == PATH:
            resource = {"name": "requests", "kind": "ExternalMetricValueList", "namespaced": True, "verbs": ["get"]}
            body: dict[str, Any] = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}"}
            body["resources"] = [{**resource, "singularName": ""}]
        elif self.path.startswith(f"{PATH}/namespaces/default/requests"):
            item = {"metricName": "requests", "timestamp": "2026-01-01T00:00:00Z", "value": str(self.value)}
            body = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}}
            body["items"] = [{**item, "metricLabels": None}]
        else:
            self.send_error(404)
            return
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def metrics(placed: Placed) -> Iterator[type[Metrics]]:
    """Serve the metric at the cluster's own API server."""
    certificates = placed.control_plane.ca_file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates, certificates.with_suffix(".key"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }  # fmt: skip
    reference = {"name": "metrics", "namespace": "default", "port": server.server_address[1]}
    spec = {"group": GROUP, "version": VERSION, "service": reference, "insecureSkipTLSVerify": True}
    registered = {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{VERSION}.{GROUP}"},
        "spec": {**spec, "groupPriorityMinimum": 100, "versionPriority": 100},
    }  # fmt: skip
    placed.apply(service, registered)
    placed.kubectl("wait", f"apiservice/{VERSION}.{GROUP}", "--for=condition=Available", "--timeout=60s")
    yield Metrics
    placed.kubectl("delete", f"apiservice/{VERSION}.{GROUP}", "service/metrics")
    server.shutdown()
    server.server_close()


def test_a_set_of_guests_grows_and_shrinks_by_an_autoscaler(placed: Placed, metrics: type[Metrics]) -> None:
    labels = {"app": "elastic"}
    template = {"metadata": {"labels": labels}, "spec": anywhere("any")["spec"]}
    placed.apply(
        {
            "apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachineReplicaSet",
            "metadata": {"name": "elastic", "namespace": "default"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "elastic", "namespace": "default"},
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachineReplicaSet", "name": "elastic",
                },
                "minReplicas": 1,
                "maxReplicas": 5,
                "metrics": [{"type": "External", "external": {
                    "metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "10"},
                }}],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            },
        },
    )  # fmt: skip
    for requests, count in ((30, 3), (10, 1)):
        metrics.value = requests
        eventually(
            lambda count=count: (
                len(guests(placed, "elastic")) == status(placed, "elastic").get("readyReplicas") == count
            ),
            lambda: placed.kubectl("describe", "hpa", "elastic"),
        )
    placed.kubectl("delete", "hpa", "elastic")
    placed.kubectl("delete", "vmrs", "elastic", "--cascade=foreground", "--timeout=60s")
    eventually(lambda: not placed.kubectl("get", "pod", "-l", "app=elastic", "-o", "name"))

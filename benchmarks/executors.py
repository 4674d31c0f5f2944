"""``python -m benchmarks.executors FOLDER NODE ...``: the executors of many nodes in one process, each as it always is.

FOLDER has for each node its kubeconfig (NODE.kubeconfig), with a token that only that node has, and what its libvirt
begins with (NODE.xml, for the test driver, whose state is each connection's own).
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from executor.agent import logs
from executor.agent.process import Orders, Signals
from executor.cluster.daemon import Options, keep
from schemas.errors import KubevmmError

NAMESPACE = "kubevmm-system"


def main() -> int:
    """Run the executors until SIGTERM; returns 1 if one of them ended by itself."""
    folder, nodes = Path(sys.argv[1]), sys.argv[2:]
    logs.configure("warning")
    signals = Signals()
    ended: list[str] = []

    def run(node: str, orders: Orders) -> None:
        uri, kubeconfig = f"test://{folder / node}.xml", str(folder / f"{node}.kubeconfig")
        try:
            keep(Options(uri, node, NAMESPACE, kubeconfig), orders)
        except KubevmmError as error:
            sys.stderr.write(f"error: {node}: {error}\n")
        finally:
            if not orders.stopped.is_set():
                ended.append(node)
                signals.stop()

    orders = [Orders() for _ in nodes]
    threads = [threading.Thread(target=run, args=each) for each in zip(nodes, orders, strict=True)]
    for thread in threads:
        thread.start()
    signals.stopped.wait()
    for each in orders:
        each.stop()
    for thread in threads:
        thread.join()
    return 1 if ended else 0


if __name__ == "__main__":
    sys.exit(main())

"""Be the first process of a node's own namespaces: ``space.py READY FROM:TO ...``, started by unshare.

Each file or folder FROM stands at TO, for what runs in here alone. When this process ends, the kernel ends all others
in its process namespace, and with the last of them mounts, links and addresses are gone: nothing has to be cleaned up.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Arrange the mounts, write the file READY, and reap whatever ends."""
    ready, folders = sys.argv[1], sys.argv[2:]
    _run("mount", "--make-rprivate", "/")
    pairs = [folder.partition(":")[::2] for folder in folders]
    # Opened first: one that is put in place may hide where another comes from.
    opened = [(os.open(source, os.O_PATH), target) for source, target in pairs]
    for source, target in opened:
        if not Path(target).exists():
            Path(target).mkdir(parents=True)
        _run("mount", "--bind", f"/proc/self/fd/{source}", target, keep=source)
        os.close(source)
    # As on a node: what kubelet mounts below its folder, containers may see.
    _run("mount", "--make-rshared", "/")
    Path(ready).touch()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _run(*command: str, keep: int | None = None) -> None:
    subprocess.run(command, check=True, pass_fds=() if keep is None else (keep,))


if __name__ == "__main__":
    main()

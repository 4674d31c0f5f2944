"""A private libvirtd with QEMU's driver for tests: folders of its own, a socket of its own, nothing left behind.

As root, where a mount namespace may be made, it is the system's kind of libvirtd, with all drivers; its folders stand
at ``/etc/libvirt``, ``/var/lib/libvirt``, ``/run`` and the like, for itself alone. Elsewhere it is a session's, which
has no nwfilter driver; root's then runs as the user nobody. Several may run at once.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from tests.harness.errors import HarnessError, last_lines
from tests.harness.server import Server

if TYPE_CHECKING:
    from types import TracebackType

ENCLOSED = Path(__file__).parent / "enclosed.py"
REVIVED = Path(__file__).parent / "revived.py"
HINT = "`make test` installs it (packages libvirt-daemon-system, libvirt-clients, qemu-system-x86)"
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The folder's own on the left, where it stands for a system's libvirtd on the right. Without the machine's /run there
# are no system bus, no firewall daemon and no systemd that libvirtd could change anything of.
STANDS = {
    "etc": "/etc/libvirt",
    "state": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
    "run": "/run",
}

LIBVIRTD_CONF = """\
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:stderr"
"""

# No control groups, namespaces, labels or changes of owner: a container may allow none of them.
QEMU_CONF = """\
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
"""

SCREENS = 40
"""Ports for the screens of one libvirtd's guests: of two that share them, both may take the same one at once."""


class Libvirtd:
    """A context manager that is a running libvirtd with QEMU's driver.

    ``folder`` keeps its configuration, state, logs and socket. By default it is a temporary one that is removed at the
    end, unless the start failed; another's path must be short, since a socket's may have 107 bytes, and open to the
    user nobody where that runs it. ``session`` asks for a session's libvirtd though a system's could be had, and
    ``timeout`` says how many seconds the start may take. A ``revived`` one may be killed: it is there again at
    once, and its guests live on. Entering raises `HarnessError`, with the end of the log if it did not start. Leaving
    ends it, and every guest that it runs.

    While it runs: ``uri`` for any libvirt client, ``system`` (whether it is the system's kind), ``log`` and ``pid``.
    Guests must be of type qemu.
    """

    def __init__(
        self, folder: Path | None = None, *, session: bool = False, timeout: float = 60.0, revived: bool = False
    ) -> None:
        self._revived = revived
        self._given_folder = folder
        self._timeout = timeout
        self._server: Server | None = None
        self.system = not session and os.geteuid() == 0
        self.uri = ""

    def __enter__(self) -> Self:
        program = find_program("libvirtd")
        find_program("qemu-system-x86_64")
        self.system = self.system and _may_unshare()
        # Absolute, since the daemon runs in another working directory.
        self.folder = (self._given_folder or Path(tempfile.mkdtemp(prefix="kubevmm-libvirtd-"))).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "libvirtd.log"
        try:
            before, socket = self._prepare_system() if self.system else self._prepare_session()
            kind = "system" if self.system else "session"
            self.uri = f"qemu+unix:///{kind}?socket={quote(str(socket))}"
            config = self.folder / "libvirtd.conf"
            if self._revived:
                before = [*before, sys.executable, "-I", "-S", str(REVIVED)]
            arguments = [*before, str(program), "--config", str(config), "--pid-file", str(self.folder / "pid")]
            self._server = Server(Path(arguments[0]), arguments[1:], log=self.log)
            self._wait_until_ready(socket)
        except BaseException:
            # Also on Ctrl-C: nobody will call __exit__.
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        if self._given_folder is None:
            shutil.rmtree(self.folder)

    @property
    def pid(self) -> int:
        """Return the process id of libvirtd itself."""
        return int((self.folder / "pid").read_text(encoding="ascii"))

    def virsh(self, *arguments: str, check: bool = True, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run virsh against this libvirtd and return what it wrote as text.

        Raises `HarnessError` with its stderr when it fails and ``check`` is true, or when it takes more than
        ``timeout`` seconds.
        """
        command = [str(find_program("virsh")), "--quiet", "--connect", self.uri, *arguments]
        # A person's own aliases, language and history stay out of it.
        environment = {"PATH": SEARCHED, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                env=environment,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HarnessError(f"virsh {' '.join(arguments)} took more than {timeout:.0f} s") from error
        if check and result.returncode != 0:
            message = f"virsh {' '.join(arguments)} ended with {result.returncode}:{last_lines(result.stderr)}"
            raise HarnessError(message)
        return result

    def _prepare_system(self) -> tuple[list[str], Path]:
        """Make the folders; return the start of the command, and the socket that it makes."""
        for name, place in STANDS.items():
            if not Path(place).is_dir():
                raise HarnessError(f"{place} is missing: libvirt is not wholly installed", hint=HINT)
            (self.folder / name).mkdir(exist_ok=True)
        # libvirt locks a console's terminal there.
        (self.folder / "run" / "lock").mkdir(exist_ok=True)
        self._write("libvirtd.conf", LIBVIRTD_CONF)
        self._write("etc/qemu.conf", self._qemu_conf() + 'user = "root"\ngroup = "root"\n')
        stands = [f"{self.folder / name}:{place}" for name, place in STANDS.items()]
        return [*_enclosed(), *stands, "--"], self.folder / "run" / "libvirt" / "libvirt-sock"

    def _prepare_session(self) -> tuple[list[str], Path]:
        """Make the folders, which belong to the user that runs it; return the start of the command, and the socket."""
        folders = {name: self.folder / name for name in ("config", "cache", "data", "run")}
        for path in folders.values():
            path.mkdir(exist_ok=True, mode=0o700)
        (folders["config"] / "libvirt").mkdir(exist_ok=True)
        self._write("libvirtd.conf", LIBVIRTD_CONF)
        self._write("config/libvirt/qemu.conf", self._qemu_conf())
        environment = {
            "HOME": self.folder,
            "XDG_CONFIG_HOME": folders["config"],
            "XDG_CACHE_HOME": folders["cache"],
            "XDG_DATA_HOME": folders["data"],
            "XDG_RUNTIME_DIR": folders["run"],
        }
        before = ["/usr/bin/env", *(f"{name}={value}" for name, value in environment.items()), *_enclosed(), "--"]
        if os.geteuid() == 0:
            # Root's own libvirtd is the system's, whatever its environment says.
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            identity = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
            before += [str(find_program("setpriv")), *identity]
        return before, folders["run"] / "libvirt" / "libvirt-sock"

    def _qemu_conf(self) -> str:
        first = 6000 + zlib.crc32(str(self.folder).encode()) % 500 * SCREENS
        return f"{QEMU_CONF}remote_display_port_min = {first}\nremote_display_port_max = {first + SCREENS - 1}\n"

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def _wait_until_ready(self, socket: Path) -> None:
        deadline = time.monotonic() + self._timeout
        while not (socket.is_socket() and self.virsh("version", check=False).returncode == 0):
            if self._server is not None and (code := self._server.exit_code()) is not None:
                raise HarnessError(f"libvirtd ended with {code} ({self.log}):{last_lines(self.log)}")
            if time.monotonic() > deadline:
                message = f"libvirtd was not ready in {self._timeout:.0f} s ({self.log}):{last_lines(self.log)}"
                raise HarnessError(message)
            time.sleep(0.1)

    def _stop(self) -> None:
        if self._server is not None:
            # More than the daemon and its guests are given together.
            self._server.stop(grace=20.0)
            self._server = None


def find_program(name: str) -> Path:
    """Return the path of a program of the system's; raises `HarnessError` with what installs it."""
    found = shutil.which(name, path=SEARCHED)
    if found is None:
        raise HarnessError(f"{name} is not installed", hint=HINT)
    return Path(found)


def _enclosed() -> list[str]:
    return [sys.executable, "-I", "-S", str(ENCLOSED), str(os.getpid())]


def _may_unshare() -> bool:
    """Say whether this process may make a mount namespace; root in a container often may not."""
    command = ["unshare", "--mount", "--propagation", "private", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0

"""Real guests: started, paused, saved, changed while they run, and looked at from outside."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.console import Console
from executor.hypervisor.domain import DomainState, State
from executor.hypervisor.errors import Conflict, Invalid, NotFound, Unsupported, WrongState
from executor.hypervisor.guest import Guest
from executor.hypervisor.handle import Affect
from executor.hypervisor.streams import screenshot
from executor.hypervisor.tuning import Tuning
from tests.hypervisor.guests import eventually, pretended, real

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt

NAMESPACE = "https://example.test/ns"


def test_a_guest_goes_through_its_states(guest: Domain) -> None:
    assert guest.state() == DomainState(State.SHUTOFF, "unknown")
    guest.start(paused=True)
    assert guest.state() == DomainState(State.PAUSED, "user")
    guest.resume()
    assert guest.state() == DomainState(State.RUNNING, "unpaused")
    guest.suspend()
    assert guest.state() == DomainState(State.PAUSED, "user")
    guest.resume()
    guest.reset()
    guest.destroy(graceful=True)
    assert guest.state() == DomainState(State.SHUTOFF, "destroyed")


def test_a_guest_that_runs_is_not_started_again(guest: Domain) -> None:
    guest.start()
    with pytest.raises(WrongState):
        guest.start()


def test_a_saved_guest_goes_on_where_it_was(guest: Domain) -> None:
    guest.start()
    guest.managed_save(paused=True)
    assert guest.state() == DomainState(State.SHUTOFF, "saved")
    assert guest.has_managed_save()
    guest.start()
    assert guest.state().state is State.PAUSED
    assert not guest.has_managed_save()


def test_a_save_that_is_forgotten_boots(guest: Domain) -> None:
    guest.start()
    guest.managed_save()
    guest.forget_managed_save()
    guest.start()
    assert guest.state().reason == "booted"


def test_a_guest_is_saved_to_a_file_and_restored(guest: Domain, qemu: Hypervisor, tmp_path: Path) -> None:
    guest.start()
    guest.save(str(tmp_path / "memory"))
    assert not guest.active
    qemu.domains.restore(str(tmp_path / "memory"), paused=True)
    assert guest.state().state is State.PAUSED


def test_a_disk_is_attached_and_detached_live_and_in_the_definition(guest: Domain, tmp_path: Path) -> None:
    image = tmp_path / "data.img"
    image.write_bytes(bytes(1 << 20))
    image.chmod(0o666)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
        "<target dev='vdb' bus='virtio'/><alias name='ua-data'/></disk>"
    )
    guest.start(paused=True)
    guest.attach_device(disk, Affect.BOTH)
    assert "vdb" in guest.xml()
    assert "vdb" in guest.xml(inactive=True)
    assert guest.block_info("vdb")[0] == 1 << 20
    guest.block_resize("vdb", 2 << 20)
    assert guest.block_info("vdb")[0] == 2 << 20
    with pytest.raises(Conflict):
        guest.attach_device(disk, Affect.CONFIG)
    guest.detach_device(disk, Affect.CONFIG)
    assert "vdb" not in guest.xml(inactive=True)
    assert "vdb" in guest.xml()
    with pytest.raises(NotFound):
        guest.detach_device(disk, Affect.CONFIG)


def test_settings_change_live_and_in_the_definition(guest: Domain) -> None:
    tuning = Tuning(guest)
    guest.start()
    assert tuning.vcpus(Affect.LIVE) == 1
    assert tuning.vcpus(Affect.CONFIG, maximum=True) == 2
    tuning.set_vcpus(2, Affect.BOTH)
    assert (tuning.vcpus(Affect.LIVE), tuning.vcpus(Affect.CONFIG)) == (2, 2)
    tuning.set_memory(48 << 20, Affect.CONFIG)
    assert "<currentMemory unit='KiB'>49152</currentMemory>" in guest.xml(inactive=True)
    tuning.set_parameters("memory", {"hard_limit": 1 << 20}, Affect.CONFIG)
    assert tuning.parameters("memory", Affect.CONFIG)["hard_limit"] == 1 << 20
    tuning.pin_vcpu(0, [True], Affect.CONFIG)
    assert "cpuset='0'" in guest.xml(inactive=True)


@pytest.mark.parametrize("affect", [Affect.LIVE, Affect.CONFIG, Affect.BOTH])
def test_metadata_is_written_read_and_removed(guest: Domain, affect: Affect) -> None:
    guest.start(paused=True)
    assert guest.metadata(NAMESPACE) is None
    guest.set_metadata("<applied>a &lt; b</applied>", namespace=NAMESPACE, prefix="k", affect=affect)
    for where in (Affect.LIVE, Affect.CONFIG):
        expected = "<applied>a &lt; b</applied>" if where in affect else None
        assert guest.metadata(NAMESPACE, where) == expected
    guest.set_metadata(None, namespace=NAMESPACE, prefix="k", affect=affect)
    assert guest.metadata(NAMESPACE, affect & Affect.LIVE or affect) is None


def test_title_and_description_change(guest: Domain) -> None:
    guest.set_title("Shop", Affect.CONFIG)
    guest.set_description("two\nlines", Affect.CONFIG)
    assert "<title>Shop</title>" in guest.xml()
    guest.set_title(None, Affect.CONFIG)
    assert "<title>" not in guest.xml()
    assert "two\nlines" in guest.xml()


def test_passwords_are_in_the_document_only_when_asked_for(qemu: Hypervisor) -> None:
    document = real("secretive").replace("autoport='yes'", "autoport='yes' passwd='hunter2'")
    domain = qemu.domains.define(document)
    try:
        assert "hunter2" not in domain.xml()
        assert "hunter2" in domain.xml(secure=True)
    finally:
        domain.undefine()


def test_the_screen_is_a_picture(guest: Domain) -> None:
    guest.start()
    picture = io.BytesIO()
    assert screenshot(guest, picture) == "image/png"
    assert picture.getvalue().startswith(b"\x89PNG\r\n")


def test_the_console_shows_what_the_firmware_says(guest: Domain) -> None:
    guest.start(paused=True)
    with Console(guest) as console:
        console.socket.settimeout(60)
        guest.resume()
        said = b""
        while b"SeaBIOS" not in said:
            piece = console.socket.recv(4096)
            assert piece, f"the console ended after {said!r}"
            said += piece


def test_a_console_ends_when_the_guest_does(guest: Domain) -> None:
    guest.start()
    with Console(guest) as console:
        console.socket.settimeout(60)
        guest.destroy()
        while console.socket.recv(4096):
            pass


def test_a_console_is_one_persons_unless_it_is_taken_away(guest: Domain) -> None:
    guest.start(paused=True)
    with Console(guest) as first:
        with pytest.raises(Conflict):
            Console(guest)
        with Console(guest, force=True):
            first.socket.settimeout(60)
            assert first.socket.recv(1) == b""


def test_a_guest_that_reads_nothing_holds_up_only_its_console(guest: Domain) -> None:
    guest.start()
    with Console(guest) as console:
        console.socket.setblocking(False)
        # When nothing more goes for a whole second, all buffers on the way are full.
        stuck_since: float | None = None
        while stuck_since is None or time.monotonic() < stuck_since + 1.0:
            try:
                console.socket.send(bytes(65536))
                stuck_since = None
            except BlockingIOError:
                stuck_since = stuck_since or time.monotonic()
                time.sleep(0.01)
        assert guest.state().state is State.RUNNING
    assert guest.active


def test_a_guest_of_a_hypervisor_without_consoles_has_none(pretence: Hypervisor) -> None:
    with pytest.raises(Unsupported):
        Console(pretence.domains.by_name("runs"))


def test_a_guest_without_an_agent_says_so(guest: Domain) -> None:
    guest.start()
    with pytest.raises(Unsupported):
        Guest(guest).info()
    assert Guest(guest).best_addresses() == []


def test_the_list_has_states_and_figures_in_one_call(qemu: Hypervisor, guest: Domain) -> None:
    guest.start(paused=True)
    [found] = [each for each in qemu.domains.summaries(statistics=True) if each.domain.uuid == guest.uuid]
    assert found.state == DomainState(State.PAUSED, "user")
    assert found.statistics["balloon.current"] == 64 << 10
    assert qemu.domains.statistics([guest])[guest.uuid]["vcpu.current"] == 1


def test_a_transient_guest_is_gone_when_it_stops(qemu: Hypervisor) -> None:
    domain = qemu.domains.create(real("passing"), paused=True)
    assert not domain.persistent
    domain.destroy()
    with pytest.raises(NotFound):
        qemu.domains.by_name("passing")


def test_a_definition_is_refused_that_takes_anothers_name_or_uuid(guest: Domain, qemu: Hypervisor) -> None:
    with pytest.raises(Conflict):
        qemu.domains.define(real(guest.name))
    other = real("other").replace("<memory", f"<uuid>{guest.uuid}</uuid><memory")
    with pytest.raises(Conflict):
        qemu.domains.define(other)


def test_a_document_for_another_hypervisor_is_refused(qemu: Hypervisor) -> None:
    with pytest.raises((Invalid, Unsupported)):
        qemu.domains.define(pretended("strange"))


def test_what_the_host_is_can_be_asked(qemu: Hypervisor) -> None:
    machine = qemu.host.machine()
    assert machine.cpus >= 1
    assert 0 < qemu.host.free_memory() < machine.memory
    assert qemu.host.libvirt_version().count(".") == 2
    assert "<guest>" in qemu.host.capabilities()
    assert "<domainCapabilities>" in qemu.host.domain_capabilities(guest_type="qemu")
    assert len(qemu.host.cpu_map()) >= machine.cpus


def test_a_guest_that_is_told_to_stay_forgotten_leaves_nothing(qemu: Hypervisor) -> None:
    domain = qemu.domains.define(real("leaves"))
    domain.start()
    domain.managed_save()
    domain.undefine()
    again = qemu.domains.define(real("leaves"))
    try:
        assert not again.has_managed_save()
        eventually(lambda: not again.active, what="it does not run")
    finally:
        again.undefine()

"""`virtctl explain` without a cluster."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from analyser.explain import completions, explain, kinds
from executor.cli.explain import explain as command
from schemas.errors import KubevmmError

app = typer.Typer()
app.command()(command)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("path", "kind", "xml", "values"),
    [
        ("vm.spec.domain.devices.disks", "[]Object", "<disk>", ()),
        ("vm.spec.domain.devices.disks.device", "string", "<disk device='...'>", ("cdrom", "disk", "floppy", "lun")),
        ("vm.spec.domain.devices.disks[0].target.dev", "string", "<target dev='...'>", ()),
        ("vm.spec.domain.memory", "size", "<memory unit='KiB'>...</memory>", ()),
        ("vm.spec.domain.memoryDumpCore", "boolean", "<memory dumpCore='...'>", ()),
        ("vm.spec.domain.vcpu.value", "integer", "<vcpu>...</vcpu>", ()),
        ("vm.spec.domain.features.acpi", "Object", "<acpi>", ()),
        ("vm.spec.domain.metadata", "XML", "<metadata>", ()),
        ("vm.spec.domain.qemuCommandline.args.value", "string", "<qemu:arg value='...'>", ()),
        ("vm.spec.domain.devices.disks.source.diskRef.name", "string", "", ()),
        ("vm.spec.evictionStrategy", "string", "", ("LiveMigrate", "Shutdown", "None")),
        ("vm.spec.nodeSelector", "map[string]string", "", ()),
        ("vmnode.status.allocatable", "map[string]integer or string", "", ()),
        ("vmsnapshot.spec.domainSnapshot.domain.os.type.arch", "string", "<type arch='...'>", None),
        ("NWFilter.spec.entries", "[]Object", "<rule>, <filterref>", ()),
        ("nwfilter.spec.entries.rule.action", "string", "<rule action='...'>", None),
    ],
)
def test_a_path_says_its_type_its_xml_and_its_values(
    path: str, kind: str, xml: str, values: tuple[str, ...] | None
) -> None:
    entry = explain(path).entry

    assert entry.type == kind
    assert sorted(entry.xml.split(", ")) == sorted(xml.split(", "))
    assert values is None or entry.enum == values


@pytest.mark.parametrize("name", ["vm", "virtualmachine", "virtualmachines", "VirtualMachine", "VM"])
def test_a_kind_goes_by_all_its_names(name: str) -> None:
    assert explain(name).kind.name == "VirtualMachine"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("vm.spec.domain.devices.diskz", "unknown key 'diskz' in vm.spec.domain.devices; did you mean disks?"),
        ("vm.spec.domain.on_poweroff", "unknown key 'on_poweroff' in vm.spec.domain; did you mean onPoweroff?"),
        ("vm.sepc", "unknown key 'sepc' in vm; did you mean spec?"),
        ("vmm", "unknown kind 'vmm'; did you mean vm?"),
        ("vm.spec.running.now", "unknown key 'now' in vm.spec.running, which has no keys"),
    ],
)
def test_an_unknown_path_is_one_line_with_the_nearest_known(path: str, message: str) -> None:
    with pytest.raises(KubevmmError) as caught:
        explain(path)

    assert str(caught.value) == message


def test_what_contains_itself_is_explained_at_any_depth() -> None:
    chain = ".backingStore" * 5

    assert explain(f"vm.spec.domain.devices.disks{chain}.source.file").entry.xml == "<source file='...'>"


def test_the_kinds_are_listed_without_a_path() -> None:
    output = said()

    assert [line.split()[0] for line in output.splitlines()] == ["KIND", *(kind.name for kind in kinds())]
    assert "vmsnapshot" in output


def test_the_text_reads_as_kubectls() -> None:
    lines = said("vm.spec.domain.devices.disks").splitlines()

    assert lines[:3] == ["GROUP:      kubevmm.io", "KIND:       VirtualMachine", "VERSION:    v1alpha1"]
    assert "FIELD:      spec.domain.devices.disks <[]Object>" in lines
    assert "    Disks, CD-ROM and floppy drives, whatever holds their data." in lines
    assert max(map(len, lines)) <= 80


def test_recursive_shows_the_keys_at_every_depth() -> None:
    lines = said("vmdisk.spec.volume", "--recursive").splitlines()

    place = lines.index("  target <Object>")
    assert "    permissions <Object>" in lines[place:]
    assert "      mode <string>" in lines[place:]


def test_json_is_for_programs() -> None:
    whole = json.loads(said("vm.spec.domain.devices.disks", "-o", "json"))

    assert (whole["kind"], whole["path"], whole["xml"]) == ("VirtualMachine", "spec.domain.devices.disks", "<disk>")
    device = next(field for field in whole["fields"] if field["key"] == "device")
    assert device["enum"] == ["cdrom", "disk", "floppy", "lun"]
    assert json.loads(said("-o", "json"))[0]["shortName"] == "vm"


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("vmd", ["vmdisk"]),
        ("vm.spec.dom", ["vm.spec.domain"]),
        ("vm.spec.domain.devices.dis", ["vm.spec.domain.devices.disks"]),
        ("vm.nothing.x", []),
    ],
)
def test_paths_are_completed_key_by_key(start: str, found: list[str]) -> None:
    assert completions(start) == found

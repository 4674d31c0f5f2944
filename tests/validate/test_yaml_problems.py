"""What is wrong with a document in YAML, case by case: the line that a person sees."""

from __future__ import annotations

import textwrap

import pytest

from analyser.validate import validate

HEAD = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata:\n  name: web-1\nspec:\n"
LINES_ABOVE = HEAD.count("\n")
DOMAIN_LINES_ABOVE = LINES_ABOVE + 2


def problems(text: str) -> list[str]:
    return [str(problem) for problem in validate(text.encode(), file="f").problems]


def of_domain(text: str) -> list[str]:
    """Return the problems of a guest whose domain is of type kvm and *text*, lines counted from *text*'s first."""
    body = textwrap.indent(textwrap.dedent(text), "    ")
    found = problems(f"{HEAD}  domain:\n    type: kvm\n{body}\n")
    out = []
    for problem in found:
        _, line, column, rest = problem.split(":", 3)
        out.append(f"{int(line) - DOMAIN_LINES_ABOVE}:{int(column) - 4}:{rest}".replace("spec.domain.", "", 1))
    return out


DOMAIN = {
    "unknown key": ("memori: 4Gi", "1:1: memori: unknown key (did you mean memory?)"),
    "a key as XML spells it": ("on_poweroff: destroy", "1:1: on_poweroff: unknown key (did you mean onPoweroff?)"),
    "a key in another case": ("OnPoweroff: destroy", "1:1: OnPoweroff: unknown key (did you mean onPoweroff?)"),
    "an unknown key deep down": (
        "devices:\n  disks:\n  - type: file\n    trget: {dev: vda}",
        "4:5: devices.disks[0].trget: unknown key (did you mean target?)",
    ),
    "a map for a list": (
        "devices:\n  disks:\n    type: file",
        "2:3: devices.disks: expected a list, found a map (start each entry with a dash)",
    ),
    "a list for a map": ("os: [a]", "1:1: os: expected a map, found a list"),
    "text for a map": ("vcpu: 2", "1:1: vcpu: expected a map, found a number"),
    "a boolean for a presence": ("features:\n  acpi: true", "2:3: features.acpi: expected a map, found a boolean"),
    "a map for text": ("title: {a: b}", "1:1: title: expected a single value, found a map"),
    "a number for text": ("title: 5", '1:8: title: expected text, found the number 5 (write "5", with quotes)'),
    "a boolean for text": (
        "title: on",
        (
            "1:8: title: expected text, found the boolean true"
            " (write it with quotes: yes, no, on and off are booleans in YAML)"
        ),
    ),
    "text for an integer": ("iothreads: many", "1:12: iothreads: expected an integer, found 'many'"),
    "hexadecimal where libvirt reads none": ("iothreads: 0x10", "1:12: iothreads: expected an integer, found '0x10'"),
    "a boolean for an integer": (
        "iothreads: yes",
        "1:12: iothreads: expected an integer, found the boolean true (yes, no, on and off are booleans in YAML)",
    ),
    "text for a boolean": (
        'features:\n  vmport: {state: "off"}',
        "2:19: features.vmport.state: expected true or false, found 'off' (write false, without quotes)",
    ),
    "a word that an enum lacks": (
        "onCrash: restrat",
        (
            "1:10: onCrash: 'restrat' is not one of coredump-destroy, coredump-restart, destroy, preserve,"
            " rename-restart,"
            " restart (did you mean restart?)"
        ),
    ),
    "a size without a unit": (
        "memory: 4096",
        "1:9: memory: 4096 has no unit (write a quantity such as 4096Ki or 4096Mi)",
    ),
    "a size that is none": (
        "memory: lots",
        "1:9: memory: 'lots' is not a size (write a quantity such as 512Mi or 4Gi)",
    ),
    "a size that is no whole number": (
        "memory: 1500k",
        "1:9: memory: 1500k is no whole number of KiB (libvirt cannot say it)",
    ),
    "a size in an unknown unit": ("memory: 4 GiBB", "1:9: memory: 'GiBB' is no unit (did you mean GiB?)"),
    "a size of no number": ("memory: four GiB", "1:9: memory: expected a size, found 'four'"),
    "a list for a size": ("memory: [4Gi]", "1:1: memory: expected a size such as 4Gi, found a list"),
    "what stands beside a size, alone": ("memoryDumpCore: true", "1:1: memoryDumpCore: needs memory beside it"),
    "XML that is none": (
        "metadata: <a><b></a>",
        "1:11: metadata: not well-formed XML: Opening and ending tag mismatch: b line 1 and a",
    ),
    "a missing key": ("devices:\n  interfaces:\n  - mtu: {size: 1}", "3:5: devices.interfaces[0].type: missing"),
    "a character that XML cannot hold": ('title: "a\\x01"', "1:8: title: holds a character that XML cannot"),
    "extraXML of another element": (
        "extraXML: <a/>",
        (
            "1:11: extraXML: expected <domain>, found <a>"
            " (extraXML is the element itself, reduced to what the tables do not know)"
        ),
    ),
    "extraXML that says a key again": (
        "title: a\nextraXML: <domain><title>b</title></domain>",
        "2:1: extraXML: holds title too, which has a key of its own beside it (write it once)",
    ),
    "extraXML in place of a key": (
        "extraXML: <domain><title>b</title></domain>",
        "1:1: extraXML: warning: holds what the key title is for (write it there, where it is checked)",
    ),
    "extraXML that is a map": ("extraXML: {a: b}", "1:1: extraXML: expected XML text, found a map"),
}


@pytest.mark.parametrize(("text", "said"), DOMAIN.values(), ids=DOMAIN.keys())
def test_a_problem_of_a_domain_is_one_line(text: str, said: str) -> None:
    assert of_domain(text) == [said]


RIGHT = {
    "a size in another spelling": "memory: 4096 MiB",
    "a size without a unit, as libvirt reads it": "memory: 4096 (KiB)",
    "an integer in quotes": 'iothreads: "4"',
    "what a newer libvirt knows": "extraXML: <domain><newer thing='1'/></domain>",
    "foreign content": "metadata: |\n  <app:a xmlns:app='urn:app'>text</app:a>",
    "a null": "title: null",
    "empty maps": "features: {}\ndevices: {}",
    "an offset or the word for none": "clock: {offset: variable, adjustment: reset}",
    "a reference in place of a password": (
        "devices:\n  graphics:\n  - type: vnc\n    passwdSecretRef: {name: console, key: password}"
    ),
    "a bus that the grammar lacks and libvirt had": "devices: {}",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_has_no_problem(text: str) -> None:
    assert of_domain(text) == []


def test_every_problem_is_named_in_the_order_of_the_text() -> None:
    found = of_domain("zzz1: 1\nmemory: 4\nonCrash: x\ndevices:\n  disks:\n  - 1\n  - 2\nzzz2: 1")
    assert [line.partition(":")[0] for line in found] == ["1", "2", "3", "6", "7", "8"]


OBJECTS = {
    "no kind": ("apiVersion: kubevmm.io/v1alpha1\nmetadata: {name: a}\n", ["1:1: kind: missing"]),
    "no apiVersion": (
        "kind: VirtualMachine\nmetadata: {name: a}\nspec: {domain: {type: kvm}}\n",
        ["1:1: apiVersion: missing"],
    ),
    "neither": (
        "a: b\n",
        ["1:1: a: unknown key", "1:1: metadata: missing", "1:1: apiVersion: missing", "1:1: kind: missing"],
    ),
    "kind misspelt": (
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachin\nmetadata: {name: a}\n",
        ["2:7: kind: 'VirtualMachin' is no kind of kubevmm.io (did you mean VirtualMachine?)"],
    ),
    "group misspelt": (
        "apiVersion: kubevm.io/v1alpha1\nkind: VirtualMachine\nmetadata: {name: a}\nspec: {domain: {type: kvm}}\n",
        ["1:13: apiVersion: 'kubevm.io/v1alpha1' has no VirtualMachine (did you mean kubevmm.io/v1alpha1?)"],
    ),
    "version misspelt": (
        "apiVersion: kubevmm.io/v1\nkind: VirtualMachine\nmetadata: {name: a}\nspec: {domain: {type: kvm}}\n",
        ["1:13: apiVersion: 'kubevmm.io/v1' has no VirtualMachine (did you mean kubevmm.io/v1alpha1?)"],
    ),
    "no metadata": (
        "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nspec: {domain: {type: kvm}}\n",
        ["1:1: metadata: missing"],
    ),
    "no domain": (HEAD + "  runStrategy: Always\n", ["5:1: spec.domain: missing"]),
    "no spec": (HEAD.replace("spec:\n", ""), ["1:1: spec: missing"]),
    "a domain without a type": (HEAD + "  domain: {memory: 1Gi}\n", ["6:3: spec.domain.type: missing"]),
    "unknown key on top": (
        HEAD + "  domain: {type: kvm}\nspecs: {}\n",
        ["7:1: specs: unknown key (did you mean spec?)"],
    ),
    "unknown key in metadata": (
        HEAD.replace("  name", "  lables: {}\n  name") + "  domain: {type: kvm}\n",
        ["4:3: metadata.lables: unknown key (did you mean labels?)"],
    ),
    "unknown key of ours": (
        HEAD + "  runStrateg: Always\n  domain: {type: kvm}\n",
        ["6:3: spec.runStrateg: unknown key (did you mean runStrategy?)"],
    ),
    "a word of ours misspelt": (
        HEAD + "  runStrategy: Allways\n  domain: {type: kvm}\n",
        [
            (
                "6:16: spec.runStrategy: 'Allways' is not one of Always, RerunOnFailure, Once, Manual, Halted"
                " (did you mean Always?)"
            )
        ],
    ),
    "running and runStrategy": (
        HEAD + "  runStrategy: Always\n  running: true\n  domain: {type: kvm}\n",
        ["6:3: spec.runStrategy: give either running or runStrategy, not both"],
    ),
    "a map of ours with wrong values": (
        HEAD + "  nodeSelector: {a: 1}\n  domain: {type: kvm}\n",
        ['6:21: spec.nodeSelector.a: expected text, found the number 1 (write "1", with quotes)'],
    ),
    "a missing key of ours": (
        HEAD
        + "  affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{}]}}\n  domain: {type: kvm}\n",
        [
            "6:77: spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: missing",
        ],
    ),
    "a label that is none": (
        HEAD.replace("  name", "  labels: {a: b c}\n  name") + "  domain: {type: kvm}\n",
        [
            (
                "4:15: metadata.labels.a: 'b c' is no value for a label: at most 63 letters, digits, '-', '_' and '.'"
                " (an annotation takes any text)"
            )
        ],
    ),
    "an annotation that is no text": (
        HEAD.replace("  name", "  annotations: {a: true}\n  name") + "  domain: {type: kvm}\n",
        ['4:20: metadata.annotations.a: expected text, found the boolean true (write "true", with quotes)'],
    ),
    "a document of libvirt's other kinds": (
        (
            "apiVersion: libvirt.kubevmm.io/v1alpha1\nkind: NWFilter\nmetadata: {name: a}\nspec:\n  name: a\n"
            "  entries:\n"
            "  - rule: {action: accept, direction: in, priority: often}\n  - rul: {}\n  - {rule: {}, filterref: {}}\n"
        ),
        [
            "7:53: spec.entries[0].rule.priority: expected an integer, found 'often'",
            "8:5: spec.entries[1].rul: unknown key (did you mean rule?)",
            "9:5: spec.entries[2]: expected a map with one key, one of filterref, rule, found a map with 2",
        ],
    ),
}


@pytest.mark.parametrize(("text", "said"), OBJECTS.values(), ids=OBJECTS.keys())
def test_a_problem_of_an_object_is_one_line(text: str, said: list[str]) -> None:
    found = [problem.removeprefix("f:") for problem in problems(text)]
    general = (" (an object starts with apiVersion and kind)", " (every object has a metadata.name)")
    for hint in general:
        found = [line.replace(hint, "") for line in found]
    assert [line.partition(" (known here")[0] for line in found] == said


NAMES = {
    "Web-1": "'Web-1' has upper-case letters; a name has none",
    "web_1": "'web_1' has '_'; a name has lower-case letters, digits '-' and '.' only",
    "-web": "'-web' must begin and end with a letter or a digit",
    "web.": "'web.' must begin and end with a letter or a digit, and so must each part between dots",
    "": "is empty",
    "a" * 254: "longer than 253 characters",
}


@pytest.mark.parametrize(("name", "said"), NAMES.items(), ids=list(NAMES))
def test_a_name_that_an_api_server_refuses_says_why(name: str, said: str) -> None:
    text = HEAD.replace("web-1", f'"{name}"') + "  domain: {type: kvm}\n"
    assert problems(text) == [f"f:4:9: metadata.name: {said}"]


@pytest.mark.parametrize("name", ["a", "web-1", "web.example.org", "1a", "a" * 253])
def test_a_name_that_an_api_server_takes_is_right(name: str) -> None:
    assert problems(HEAD.replace("web-1", f'"{name}"') + "  domain: {type: kvm}\n") == []


OTHERS = [
    "apiVersion: v1\nkind: Secret\n",
    "apiVersion: apps/v1\nkind: Deployment\nnonsense: true\n",
    "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n",
    "kind: Kustomization\nresources: []\n",
]


@pytest.mark.parametrize("text", OTHERS)
def test_objects_of_others_are_skipped(text: str) -> None:
    report = validate(text.encode(), file="f")
    assert (report.problems, report.documents, report.skipped) == ([], 0, 1)


def test_items_of_a_list_are_objects() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n- 5\n"
        "- apiVersion: kubevmm.io/v1alpha1\n  kind: VirtualMachine\n  metadata: {name: a}\n"
        "  spec: {domain: {type: kvn}}\n"
    )
    report = validate(text.encode(), file="f")
    assert [str(problem).partition(" is not")[0] for problem in report.problems] == [
        "f:6:3: items[1]: expected an object, found a number",
        "f:10:25: items[2].spec.domain.type: 'kvn'",
    ]
    assert (report.documents, report.skipped) == (1, 1)


def test_each_of_several_documents_has_its_own_places() -> None:
    one = HEAD + "  domain: {type: kvn}\n"
    assert [problem.split(":")[1] for problem in problems(f"{one}---\n{one}---\n{one}")] == ["6", "13", "20"]


def test_a_secret_that_is_a_number_is_not_shown() -> None:
    found = of_domain("devices:\n  graphics:\n  - {type: vnc, passwd: 123456}")
    assert len(found) == 1
    assert "123456" not in found[0]

"""The inputs: small ones as a table of file name, bytes and what the error says; large ones made when asked for."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GOOD = b"<domain type='kvm'>\n  <name>good</name>\n</domain>\n"
OBJECT = b"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata: {name: a}\nspec:\n  domain:\n"

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
YAML_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
)


def declared(encoding: str, text: str = "é") -> str:
    return f"<?xml version='1.0' encoding='{encoding}'?>\n<domain><name>{text}</name></domain>\n"


SMALL: dict[str, tuple[bytes, str]] = {
    # XML that wants more than libvirt's documents need
    "external-entity.xml": (
        b"<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>",
        "DOCTYPE",
    ),
    "network-entity.xml": (
        b"<!DOCTYPE d [<!ENTITY x SYSTEM 'http://127.0.0.1:9/'>]><domain><name>&x;</name></domain>",
        "DOCTYPE",
    ),
    "parameter-entity.xml": (b"<!DOCTYPE d [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><domain/>", "DOCTYPE"),
    "external-subset.xml": (b"<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", "DOCTYPE"),
    "doctype.xml": (b"<?xml version='1.0'?><!-- c --><!DOCTYPE domain><domain/>", "DOCTYPE"),
    "doctype-utf-16.xml": ("<!DOCTYPE d [<!ENTITY x 'y'>]><domain>&x;</domain>".encode("utf-16"), "DOCTYPE"),
    "doctype-ebcdic.xml": ("<?xml version='1.0' encoding='cp037'?><!DOCTYPE d><domain/>".encode("cp037"), "DOCTYPE"),
    "laughs.xml": (f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><domain><name>&l19;</name></domain>'.encode(), "DOCTYPE"),
    "laughs-in-an-attribute.xml": (
        f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><domain type="&l19;"/>'.encode(),
        "DOCTYPE",
    ),
    "unknown-entity.xml": (b"<domain><name>&nbsp;</name></domain>", "nbsp"),
    "doctype-in-yaml.yaml": (
        OBJECT + b"    metadata: \"<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/passwd'>]><a>&x;</a>\"\n",
        "DOCTYPE",
    ),
    "entity-in-yaml.yaml": (OBJECT + b"    metadata: <a>&x;</a>\n", "not well-formed"),
    "include-is-nothing.xml": (
        b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>",
        "not a libvirt",
    ),
    # nesting
    "deep.xml": (b"<domain>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</domain>", "nested"),
    "deep-open.xml": (b"<domain>" + b"<a>" * 100_000, "nested"),
    "deep-known.xml": (
        b"<domain><devices><disk>" + b"<backingStore>" * 240 + b"</backingStore>" * 240 + b"</disk></devices></domain>",
        "nested",
    ),
    "deep-block.yaml": (b"".join(b" " * n + b"a:\n" for n in range(3000)), "nests"),
    "deep-flow.yaml": (b"a: " + b"[" * 100_000 + b"]" * 100_000, "nests"),
    "deep-maps.yaml": (b"a: " + b"{a: " * 100_000, "nests"),
    "deep-json.yaml": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nests"),
    "deep-list.yaml": (b"a:\n" + b"- " * 100_000, "nests"),
    # cut short, or not what they seem
    "truncated-text.xml": (b"<domain type='kvm'>\n<name>a</na", "not well-formed"),
    "truncated-tag.xml": (b"<domain type='kv", "not well-formed"),
    "truncated.yaml": (b'apiVersion: "kubevmm.io', "never closed"),
    "truncated-json.yaml": (b'{"apiVersion": "kubevmm.io/v1alpha1", "kind": "Vi', "never closed"),
    "empty.xml": (b"", "no document"),
    "blank.yaml": (b"\n\n# nothing\n", "no document"),
    "twice.xml": (b"<domain type='kvm' type='qemu'/>", "redefined"),
    "junk-between.xml": (GOOD + b"junk" + GOOD, "Extra content"),
    "junk-behind.xml": (GOOD + b"junk", "Extra content"),
    "nul.xml": (b"<domain><name>a\0b</name></domain>", "0x0"),
    "zeros.xml": (bytes(4096), "control character"),
    "nul.yaml": (b"a: \0\n", "control character"),
    "noise.xml": (bytes(range(256)) * 16, "not UTF-8"),
    "picture.xml": (b"\x89PNG\r\n\x1a\n" + bytes(64), "not UTF-8"),
    "other.xml": (b"<html><body/></html>", "not a libvirt document"),
    "truncated.xml.gz": (gzip.compress(GOOD)[:-9], "damaged gzip"),
    "damaged.xml.gz": (gzip.compress(GOOD * 50)[:20] + b"\xff" * 20, "damaged gzip"),
    "nothing.xml.gz": (gzip.compress(b""), "no document"),
    "gzip-of-gzip.xml.gz": (gzip.compress(gzip.compress(GOOD)), ""),
    # encodings
    "latin-1-as-utf-8.xml": (declared("utf-8").encode("latin-1"), "not UTF-8"),
    "latin-1-undeclared.xml": ("<domain><name>é</name></domain>".encode("latin-1"), "not UTF-8"),
    "ascii-with-more.xml": (declared("us-ascii").encode("latin-1"), "not"),
    "utf-16-that-is-not.xml": (declared("utf-16").encode(), "utf-16"),
    "utf-16-cut.xml": (declared("utf-16").encode("utf-16")[:-1], "UTF-16"),
    "not-shift-jis.xml": (declared("shift_jis", "a").encode().replace(b"a<", b"\xff<"), "SHIFT_JIS"),
    "utf-7.xml": (declared("utf-7", "+AOk-").encode(), "utf-7"),
    "unknown.xml": (declared("klingon-8").encode(), "klingon-8"),
    "code.xml": (declared("unicode_escape", r"\x3c").encode(), "unicode_escape"),
    "rot13.xml": (declared("rot13").encode("ascii", "replace"), "rot13"),
    "punycode.xml": (declared("punycode").encode("ascii", "replace"), "punycode"),
    "undefined.xml": (declared("undefined").encode("ascii", "replace"), "undefined"),
    "surrogate.xml": (b"<domain><name>\xed\xa0\x80</name></domain>", "not UTF-8"),
    "latin-1.yaml": ("a: é\n".encode("latin-1"), "not UTF-8"),
    "utf-16-without-mark.yaml": ("apiVersion: a\n".encode("utf-16-le"), "control character"),
    "half-a-character.yaml": (b'{"a": "\\ud800"}\n', ""),
    # YAML that means harm
    "laughs.yaml": (YAML_LAUGHS.encode(), "too large by its aliases"),
    "quadratic.yaml": (b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a, " * 10_000 + b"]\n", "too large by its aliases"),
    "self.yaml": (b"a: &a [*a]\n", "contains itself"),
    "no-anchor.yaml": (b"a: *nowhere\n", "no anchor"),
    "duplicate.yaml": (b"a: 1\nb: 2\na: 3\n", "there twice"),
    "duplicate-deep.yaml": (b"a:\n  b: {c: 1, c: 2}\n", "there twice"),
    "duplicate-json.yaml": (b'{"a": 1, "a": 2}', "there twice"),
    "python-tag.yaml": (b"a: !!python/object/apply:os.system [id]\n", "python"),
    "own-tag.yaml": (b"a: !secret x\n", "!secret"),
    "binary-tag.yaml": (b"a: !!binary aGk=\n", "!!binary"),
    "tab.yaml": (b"a:\n\tb: 1\n", "tab"),
    "list.yaml": (b"- a\n", "must be a mapping"),
    "scalar.yaml": (b"hello\n", "must be a mapping"),
    "complex-key.yaml": (b"? [a]\n: 1\n", "a key must be"),
    "no-kind.yaml": (b"a: 1\n", "no kind"),
    "not-ours.yaml": (b"apiVersion: v1\nkind: Pod\n", "holds no libvirt document"),
    "spec-is-text.yaml": (b"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nspec: hello\n", "expected a map"),
    "unknown-key.yaml": (OBJECT + b"    nmae: a\n", "unknown key"),
    "element-in-value.yaml": (OBJECT + b'    name: "\\x01"\n', "XML cannot"),
    "escape-from-fragment.yaml": (OBJECT + b'    metadata: "</content><devices/><content>"\n', "not well-formed"),
    "other-element.yaml": (OBJECT + b"    extraXML: <devices><disk/></devices>\n", "expected <domain>"),
}
"""File name to what is in it, and a word of the error."""


def large(folder: Path) -> dict[str, str]:
    """Write inputs that would fill a computer's memory into *folder*; return a word of the error for each by its name.

    The files themselves are small: sparse, or zipped.
    """
    for name in ("sparse.xml", "sparse.yaml"):
        with (folder / name).open("wb") as file:
            file.truncate(1 << 30)
    million_zeros = gzip.compress(bytes(100 << 20), 9)
    for name in ("bomb.xml.gz", "bomb.yaml.gz"):
        with (folder / name).open("wb") as file:
            file.writelines(million_zeros for _ in range(100))
    with (folder / "bomb-behind-xml.xml.gz").open("wb") as file:
        file.write(gzip.compress(b"<domain><name>"))
        file.writelines(million_zeros for _ in range(100))
    (folder / "text.xml.gz").write_bytes(gzip.compress(b"<domain><name>" + b"x" * (60 << 20) + b"</name></domain>"))
    (folder / "tags.xml.gz").write_bytes(gzip.compress(b"<domain>" + b"<a/>" * (15 << 20) + b"</domain>"))
    (folder / "prolog.xml.gz").write_bytes(gzip.compress(b"\n" * (60 << 20) + b"<!DOCTYPE a><a/>"))
    (folder / "declarations.xml.gz").write_bytes(gzip.compress(GOOD + b"<?xml " * (3 << 20)))
    (folder / "comments.xml.gz").write_bytes(gzip.compress(GOOD + GOOD + b"<!-" * (20 << 20)))
    (folder / "lines.yaml.gz").write_bytes(gzip.compress(b"a:\n" + b"- a\n" * (14 << 20)))
    (folder / "values.yaml.gz").write_bytes(gzip.compress(b'{"a": [' + b"{}," * (20 << 20) + b"{}]}"))
    return {
        "sparse.xml": "larger than 64 MiB",
        "sparse.yaml": "larger than 64 MiB",
        "bomb.xml.gz": "larger than 64 MiB",
        "bomb.yaml.gz": "larger than 64 MiB",
        "bomb-behind-xml.xml.gz": "larger than 64 MiB",
        "text.xml.gz": "10 MB",
        "tags.xml.gz": "more than 4,000,000 tags",
        "prolog.xml.gz": "more than 6,000,000 lines",
        "declarations.xml.gz": "not well-formed",
        "comments.xml.gz": "more than 4,000,000 tags",
        "lines.yaml.gz": "more than 6,000,000 lines",
        "values.yaml.gz": "more than 6,000,000 lines",
    }

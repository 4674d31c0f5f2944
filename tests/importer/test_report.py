"""report.html: one file that fetches nothing, runs nothing and believes nothing."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from analyser.importer.findings import CODES
from tests.importer.estates import OPENSTACK, domain, imported, nova, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that tags are balanced and collects what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone(tmp_path: Path) -> None:
    imported(OPENSTACK, tmp_path / "out")
    text = (tmp_path / "out/report.html").read_text()
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "a"}
    assert not page.attributes & {"src", "href", "onclick", "onload", "style"}
    assert "url(" not in text
    assert "@import" not in text
    for said in (
        "Guests that need a person",
        "billing/vault-1",
        "compute-2",
        "instance-0000000e.xml:84:26",
        "UEFI variables",
        "ceph-volumes",
    ):
        assert said in page.text, said


def test_everything_that_xml_says_is_escaped(tmp_path: Path) -> None:
    evil = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;amp;"
    disk = f"<disk type='file'><source file='/x/{evil}'/><target dev='{evil}'/></disk><hostdev type='{evil}'/>"
    files = {f"n/{evil.replace('/', '')[:40]}.xml": domain(1, evil, nova(evil, evil), disk)}
    files["n/<img src=x>.xml"] = "<domain><script>alert(2)</script>"
    files["n/net.xml"] = f"<network><name>{evil}</name></network>"
    files["n/filter.xml"] = f"<filter name='{evil}'/>"
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    assert (report.guests, report.failed) == (1, 1)
    page = Page((tmp_path / "out/report.html").read_text())
    assert not page.tags & {"script", "img"}
    assert "<script>alert(1)</script>" in page.text


def test_the_page_lists_so_many_guests_and_counts_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyser.report.report.LISTED", 5)
    files = {f"n/{n}.xml": domain(n, devices="<hostdev mode='subsystem' type='pci'/>") for n in range(12)}
    files |= {f"n/bad{n}.xml": "<domain>" for n in range(9)}
    imported(write(tmp_path / "in", files), tmp_path / "out")
    page = Page((tmp_path / "out/report.html").read_text())
    assert page.text.count("Left out") - 1 == 5
    assert "7 more are in report.json" in page.text
    assert "4 more are in report.json" in page.text
    whole = json.loads((tmp_path / "out/report.json").read_text())
    assert (len(whole["guests"]), len(whole["failures"])) == (12, 9)


def test_every_reason_that_is_found_has_its_words(tmp_path: Path) -> None:
    imported(OPENSTACK, tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    for guest in report["guests"]:
        for found in guest["needsAPerson"]:
            assert found["what"] == CODES[found["code"]]


def test_what_was_carried_and_left_out_is_counted(tmp_path: Path) -> None:
    devices = "<disk type='file'><alias name='a'/></disk><disk type='file'><alias name='b'/></disk>"
    report = imported(write(tmp_path / "in", {"n/1.xml": domain(1, devices=devices)}), tmp_path / "out")
    assert dict(report.devices) == {"disk": 2}
    assert dict(report.left_out) == {"libvirt's own aliases": 2}
    assert report.elements == 10


def test_guests_that_need_nobody_are_listed_too(tmp_path: Path) -> None:
    imported(write(tmp_path / "in", {"n/1.xml": domain(1)}), tmp_path / "out")
    page = Page((tmp_path / "out/report.html").read_text())
    assert "Guests that need nobody" in page.text
    assert "default/vm-1" in page.text

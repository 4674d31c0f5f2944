"""The guests that speed is measured on are many, different, and as libvirt leaves them on disk."""

from __future__ import annotations

import re

from analyser import fastxml
from analyser.convert import convert
from benchmarks.estate import OF_TODAY
from benchmarks.guests import OPENSTACK, guests

COUNT = 60


def test_the_same_number_makes_the_same_guest_and_no_two_are_alike() -> None:
    first = list(guests(COUNT))
    assert first == list(guests(COUNT))
    assert len(set(first)) == COUNT


def test_no_two_guests_share_a_name_a_uuid_a_mac_or_a_tap() -> None:
    for pattern in ("<name>(.*)</name>", "  <uuid>(.*)</uuid>", "<mac address='(.*)'/>", "<target dev='(tap.*)'/>"):
        found = [
            match for text in guests(COUNT, *OF_TODAY) for match in re.findall(pattern, text) if "ops-" not in match
        ]
        assert len(set(found)) == len(found) > COUNT // 2


def test_guests_of_today_are_whole_and_take_the_fast_path() -> None:
    for text in guests(COUNT, *OF_TODAY):
        assert fastxml.to_yaml(text.encode()) is not None


def test_guests_of_all_times_convert_there_and_back() -> None:
    for text in guests(COUNT, OPENSTACK):
        if "&#" in text:  # comes back as the character itself
            continue
        yaml = convert(text.encode(), file="a guest").text
        assert convert(yaml.encode(), file="a guest").text.strip() == text.strip()

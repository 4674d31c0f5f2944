"""Kubernetes object names from libvirt's names."""

from __future__ import annotations

import re
import unicodedata

GROUP = "kubevmm.io/v1alpha1"
"""``apiVersion`` of the kinds that KubeVMM manages."""

LONGEST = 63
"""The longest name that is given, in characters: what a label value and a host name can hold too."""

_OTHER = re.compile(r"[^a-z0-9.]+")
_VALID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # no more than the most common of what is valid as it stands
_DOTS = re.compile(r"-*\.[-.]*")


def object_name(text: str) -> str:
    """Return *text* as a valid object name (RFC 1123 subdomain); empty if nothing of it can stay."""
    if len(text) <= LONGEST and _VALID.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = _DOTS.sub(".", _OTHER.sub("-", plain)).strip("-.")
    return name[:LONGEST].rstrip("-.")

"""The keys of libvirt's names: camelCase, plurals for what repeats, prefixes for namespaces."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[-_.]+(.?)")
_SIBILANT = re.compile(r"(s|x|z|ch|sh)$")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")


def camel_case(name: str) -> str:
    """Return *name* without separators: ``on_poweroff`` -> ``onPoweroff``, ``suspend-to-mem`` -> ``suspendToMem``."""
    return _SEPARATORS.sub(lambda match: match[1].upper(), name)


def plural(name: str) -> str:
    """Return the regular English plural of a camelCase *name*; what is irregular stands in the overrides."""
    if _SIBILANT.search(name):
        return name + "es"
    if _CONSONANT_Y.search(name):
        return name[:-1] + "ies"
    return name + "s"


def split_namespace(name: str) -> tuple[str, str]:
    """Return the namespace (empty for none) and the local part of ``{namespace}local``."""
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name

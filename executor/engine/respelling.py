"""A domain defined anew by libvirt's own document, so that libvirt then prints that very document again.

Mostly it does. Some of what libvirt fills in by itself, it does not read as it prints it, or puts elsewhere when it
finds it written. Such things are then left out, or written out, where libvirt makes the same of it: whatever comes of a
try, it means what the document means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from executor.hypervisor.errors import LibvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

MOST: Final = 16
"""How many of one kind are tried one by one."""

_CONTROLLER: Final = re.compile(r" *<controller type='[\w-]+' index='\d+'/>\n")
"""A controller of which nothing is said: one that a device asks for is added again, and stands last then."""

_SPELLINGS: Final = (
    # A disk that says no bus gets that of its name, and stands after those before it; others stand by their bus.
    (re.compile(r"(<target dev='hd\w+') bus='ide'"), r"\1"),
    (re.compile(r"(<target dev='fd\w+') bus='fdc'"), r"\1"),
    (re.compile(r"(<target dev='sd\w+') bus='scsi'"), r"\1"),
    (re.compile(r"(<target dev='vd\w+') bus='virtio'"), r"\1"),
    # The console of a serial port is added before all others, when these have their numbers.
    (re.compile(r" *<console type='\w+'>\n *<target type='serial' port='0'/>\n *</console>\n"), ""),
    # Both must be said, and are not printed where they are none.
    (re.compile(r"<cache level='(\d+)'>"), r"<cache level='\1' associativity='none' policy='none'>"),
)


def define(hypervisor: Hypervisor, domain: Domain, text: str) -> None:
    """Define *domain* as *text*, libvirt's own document, so that libvirt says just that of it, if it can be had to.

    Where libvirt refuses its own document, the definition stays. Raises LibvirtError where it could be tried again.
    """

    def made(wanted: str) -> str | None:
        try:
            hypervisor.domains.define(wanted)
        except LibvirtError as error:
            if error.transient:
                raise
            return None
        return domain.xml(inactive=True, secure=True)

    found = made(text)
    if found == text:
        return
    if not any(made(wanted) == text for wanted in _tries(text, found)) and found is not None:
        made(text)


def _tries(text: str, found: str | None) -> Iterator[str]:
    """Yield other spellings of *text*, of which libvirt made *found*; None where it refuses it."""
    lines = text.splitlines(keepends=True)
    if found is not None and sorted(found.splitlines()) == sorted(text.splitlines()):
        places = found.splitlines(keepends=True)
        moved = {line for line, there in zip(lines, places, strict=False) if line != there}
        for each in sorted(line for line in moved if _CONTROLLER.fullmatch(line)):
            yield "".join(line for line in lines if line != each)
    for pattern, plain in _SPELLINGS:
        matches = list(pattern.finditer(text))
        if matches:
            yield pattern.sub(plain, text)
        if len(matches) > 1:
            for match in matches[:MOST]:
                yield text[: match.start()] + match.expand(plain) + text[match.end() :]

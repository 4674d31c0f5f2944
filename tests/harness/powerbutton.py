"""A guest's whole system in 208 bytes: it sleeps, and powers off when its power button is pressed.

A multiboot image for ``<os><kernel>`` of a q35 machine; its firmware has set up timer, interrupt controllers and power
management (at port 0x600) before. Assembled from::

    entry:  cli;  lgdt gdtr;  lidt idtr         # flat segments, one gate: the timer's
            movb $0xFE,%al;  outb %al,$0x21     # let no other interrupt come
            movb $0xFF,%al;  outb %al,$0xA1
            movw $0x602,%dx; movw $0x100,%ax;  outw %ax,%dx     # PM1_EN: the button is of interest
            sti
    1:      hlt                                 # until the timer ticks, 18 times a second
            movw $0x600,%dx; inw %dx,%ax;  testb $1,%ah;  jz 1b     # PM1_STS: was it pressed?
            movw $0x604,%dx; movw $0x2000,%ax;  outw %ax,%dx        # PM1_CNT: off
            jmp 1b
    irq:    pushl %eax;  movb $0x20,%al;  outb %al,$0x20;  popl %eax;  iretl
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IMAGE = (
    "ArCtGwAAAQD+T1HkAAAQAAAAEADQABAA0AAQACAAEAD6DwEVYQAQAA8BHWcAEACw/uYhsP/moWa6AgZmuAABZu/79Ga6AAZm7fbEAXT0ZroEBma4ACBm7"
    "+voULAg5iBYzxcAcAAQAEcAiAAQAI12AAAAAAAAAAAA//8AAACazwD//wAAAJLPAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABaAAgAAI4QAA=="
)


def write(path: Path) -> Path:
    """Write the image to *path*, for everybody to read, and return it."""
    path.write_bytes(base64.b64decode(_IMAGE))
    path.chmod(0o644)
    return path

"""How a document's print differs from virsh's, as one short text, and the print made again from that text.

The text is a few words, each ``name=value``, separated by spaces. It holds element names and numbers, nothing else of
the document. Ordinals count from 1; ``3,5-7`` are ordinals, ``3:x,5-7:y`` ordinals with what holds for them.

========== ============================================================================================================
order      ``devices~1f3a/controller*2,disk,controller*5``: the children of ``<devices>`` in the document's order.
           ``ip#2`` is the second ``<ip>`` of the virsh print where there are several, ``!`` a comment, ``~1f3a`` a
           checksum of the names in their order as virsh prints them, and in a long list a name that stood before may be
           cut to what is unique. Several parents are separated by ``;``.
open       ``devices;input#2-3``: empty elements written as a pair of tags; without ordinals all empty ones of the name.
shut       The same for pairs of tags that are one tag, ``<a/>``, in the document.
shape      A checksum of the virsh print's tags. All with ordinals, ``open`` and ``shut`` hold for this shape alone.
quotes     ``double`` or ``single`` for all attributes, then the ordinals of attributes that have the other kind.
indent     Spaces a level, or ``tab``, for all lines; then lines with spaces more or fewer (``33-36:+2``) or with their
           whole indentation (``7:t1s4``: a tab and four spaces).
blank      Lines that have an empty line in front; ``40:2`` has two.
space      Lines with other white space in front: ``12:n1s4n2s8`` (newlines, spaces, tabs), ``12:0`` for none at all.
slash      ``space`` for all ``<a />``, then exceptions by ordinal among elements without content: the other kind, or
           the white space itself (``4:n1s6``).
bracket    Ordinals, among the other start tags, of those with a space before ``>``, or with ``4:n1``.
wrap       Attributes with other white space in front than one space: ``5-8:n1s14``.
newline    ``crlf``: lines end as on Windows.
========== ============================================================================================================

Lines are those of the result that are not blank, where an element's or comment's own text counts as no further line.
"""

from __future__ import annotations

from analyser.layout.differences import describe
from analyser.layout.lines import Regular, apply_to_lines, regular
from analyser.layout.reprint import apply

__all__ = ["Regular", "apply", "apply_to_lines", "describe", "regular"]

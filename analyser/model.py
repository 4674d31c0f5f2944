"""The shape that XML and YAML share in memory: plain dicts, lists and scalars, plus comments.

A document is a ``dict`` whose order is the document's own. Scalars are ``str``, ``int`` (within int64) and ``bool``;
there are no floats and no nulls. A comment is a ``Comment`` used as a key of a dict (its value is ``None``) or as an
item of a list: it stands where it stood in the text. Only ``convert`` keeps comments; everything else asks the
readers to leave them out.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | bool
Node: TypeAlias = dict[Any, Any]
"""A mapping: ``dict[str | Comment, Scalar | Node | list[...] | None]``."""


class Comment:
    """The text of an XML or YAML comment, as it stood between its delimiters; compared by identity."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Comment({self.text!r})"


def without_comments(value: Any) -> Any:
    """Return *value* as plain dicts, lists and scalars, its comments left out."""
    if isinstance(value, dict):
        return {k: without_comments(v) for k, v in value.items() if k.__class__ is not Comment}
    if isinstance(value, list):
        return [without_comments(v) for v in value if v.__class__ is not Comment]
    return value

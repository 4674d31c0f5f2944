"""Small RelaxNG grammars for tests: only what stands inside <grammar> is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.grammar import bindings
from schemas.grammar.overrides import Overrides
from schemas.grammar.relaxng import Grammar
from schemas.grammar.types import ElementType, TypeBuilder
from schemas.table import Table, Type

if TYPE_CHECKING:
    from pathlib import Path

EMPTY: dict[str, Any] = {
    "roots": {"thing": {"kind": "Thing"}},
    "namespaces": {},
    "plurals": {},
    "keys": {},
    "sequences": {},
    "strings": [],
    "sizes": {"elements": {}, "attributes": {}},
    "pairs": {},
    "order": {},
    "runtime": {},
}


def overrides(**sections: Any) -> Overrides:
    """Return overrides that say nothing but *sections*."""
    return Overrides({**EMPTY, **sections})


def write_grammar(folder: Path, content: str, name: str = "thing.rng") -> Path:
    """Write a grammar with *content* into *folder* and return its path."""
    file = folder / name
    file.write_text(
        f'<grammar xmlns="http://relaxng.org/ns/structure/1.0"'
        f' datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">\n{content}\n</grammar>\n',
        encoding="utf-8",
    )
    return file


def thing(folder: Path, content: str) -> ElementType:
    """Return the type of an element <thing> with *content*."""
    file = write_grammar(folder, f'<start><element name="thing">{content}</element></start>')
    return TypeBuilder().build(Grammar(file).start)["thing"]


def tables(folder: Path, content: str, **sections: Any) -> Type:
    """Return the table type of an element <thing> with *content*."""
    write_grammar(folder, f'<start><element name="thing">{content}</element></start>')
    return Table(bindings.generate(folder, overrides(**sections))).roots["thing"].type

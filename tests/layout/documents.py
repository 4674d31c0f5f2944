"""Documents for the layout's tests: random ones as virsh prints them, the same printed by hand, what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st
from lxml import etree

NAMES = ("disk", "controller", "source", "driver", "x:arg", "a", "ab")
PAIRED = "controller"  # stands for the few elements that virsh never prints as one tag
VALUES = ("1", "a&amp;b", "it&apos;s", "&quot;", "&lt;x&gt;", "")
TEXTS = ("one", "two\n   lines\n", "&apos;&quot;", " ")
GAPS = ("", " ", "\n", "\n\n\n", "\n   \n    ", "\n\t\t", "\n \t", "\n        ")


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)
    text: str = ""


def elements(name: str = "domain") -> st.SearchStrategy[Element]:
    attributes = st.dictionaries(st.sampled_from(("type", "bus", "x:y")), st.sampled_from(VALUES), max_size=2)
    names = st.sampled_from(NAMES)
    leaf = st.builds(Element, names, attributes, st.just([]), st.sampled_from(("", *TEXTS)))
    comment = st.sampled_from(("<!-- a -->", "<!--\n   b <disk/>\n-->"))

    def node(child: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.builds(Element, names, attributes, st.lists(child, max_size=6))

    child = st.recursive(leaf | comment, lambda inner: node(inner) | comment, max_leaves=6)
    return st.builds(Element, st.just(name), attributes, st.lists(child, max_size=5))


def virsh(root: Element) -> str:
    root.attributes = {**root.attributes, "xmlns:x": "urn:x"}
    return "\n".join(_virsh(root, 0)) + "\n"


def _virsh(node: Element | str, level: int) -> list[str]:
    indent = "  " * level
    if isinstance(node, str):
        return [indent + node]
    head = f"{indent}<{node.name}" + "".join(f" {name}='{value}'" for name, value in node.attributes.items())
    if not node.children:
        if not node.text and node.name == PAIRED:
            return [head + ">", f"{indent}</{node.name}>"]
        return [f"{head}>{node.text}</{node.name}>" if node.text else head + "/>"]
    inside = [line for child in node.children for line in _virsh(child, level + 1)]
    return [head + ">", *inside, f"{indent}</{node.name}>"]


def by_hand(root: Element, seed: int) -> str:
    """Return the document printed with quotes, white space, forms of empty elements and an order that *seed* gives."""
    random = Random(seed)  # noqa: S311  (drawing each choice from hypothesis takes a hundred times as long)
    unit = random.choice(("  ", "    ", "\t", ""))
    odd = random.choice((0, 0, 0.05, 0.5))

    def gap(level: int, *, inside: bool = False) -> str:
        if random.random() < odd:
            return random.choice([gap for gap in GAPS if not inside or gap != " "])
        return "\n" + unit * level

    def write(node: Element | str, level: int) -> str:
        if isinstance(node, str):
            return node
        head = "<" + node.name
        for name, value in node.attributes.items():
            quote = random.choice("'\"")
            head += f"{random.choice((' ', ' ', '  ', chr(10) + '   '))}{name}={quote}{value}{quote}"
        if node.text:
            return f"{head}{random.choice(('', ' '))}>{node.text}</{node.name}>"
        if not node.children and random.random() < 0.5:
            return head + random.choice(("/>", " />", "\n />"))
        children = interleaved(node.children, random)
        written = "".join(gap(level + 1) + write(child, level + 1) for child in children)
        return f"{head}>{written}{gap(level, inside=not children)}</{node.name}>"

    return write(root, 0) + "\n"


def interleaved(children: list[Element | str], random: Random) -> list[Element | str]:
    """Return *children* in another order, those of one name in theirs."""
    names = [_local(child) for child in children]
    queues: dict[str, list[Element | str]] = {}
    for name, child in zip(names, children, strict=True):
        queues.setdefault(name, []).append(child)
    random.shuffle(names)
    return [queues[name].pop(0) for name in names]


def _local(child: Element | str) -> str:
    return "!" if isinstance(child, str) else child.name.rpartition(":")[2]


def meaning(text: str) -> Any:
    """Return what *text* says, up to the order of differently named siblings and white space between tags."""
    return _meaning(etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False)))


def _meaning(element: Any) -> Any:
    inner = [element.text or "", *(child.tail or "" for child in element)]
    texts = inner if any(text.strip() for text in inner) else []
    if not len(element) and not texts and "\n" not in inner[0]:
        texts = [text for text in inner if text]
    children = [
        (
            child.tag if isinstance(child.tag, str) else "!",
            _meaning(child) if isinstance(child.tag, str) else child.text,
        )
        for child in element
    ]
    if not texts:
        children.sort(key=lambda child: child[0])
    return sorted(element.items()), texts, children

"""The fast paths against the codec: random documents as virsh prints them, and real ones with lines changed."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from analyser import layout
from tests.codec.oracle import FILES, by_codec, check_xml, check_yaml, printed
from tests.fuzz.choices import Bytes
from tests.fuzz.xmldocuments import xml_document

SEEDS = st.integers(0, 1 << 32)
PRINTED = [text for text in (printed(path.read_bytes()) for path in FILES) if text is not None and len(text) < 10_000]
YAML = [text.encode() for text in map(by_codec, PRINTED) if text is not None]

# What a changed character becomes: what has a meaning in XML or YAML, and what some reader takes for a line break.
CHARACTERS = [*"<>/='\"&;:-#|{}[]!?*%@, \t\n\r\x00\x85\u2028\ufeffé0a", "<!--", "]]>", "&#10;"]


def changed(text: str, random: Random, others: list[bytes]) -> str:
    """Return *text* with a few of its lines or characters changed."""
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(lines))
        other = random.choice(random.choice(others).decode().split("\n"))
        line = lines[place]
        changes = [
            [],
            [line, line],
            [random.choice(lines), line],
            [other, line],
            [other],
            ["  " + line],
            [line[2:]],
            [line.replace("'", '"')],
            [line.replace("/>", " />")],
            *([_with(line, random)] for _ in range(3)),
        ]
        lines[place : place + 1] = random.choice(changes)
        lines = lines or [""]
    return "\n".join(lines)


def _with(line: str, random: Random) -> str:
    place = random.randrange(len(line) + 1)
    character: str = random.choice((*CHARACTERS, ""))
    return line[:place] + character + line[place + random.choice((0, 1)) :]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=20, max_size=400))
def test_random_documents_as_virsh_prints_them_convert_as_by_the_codec(choices: bytes) -> None:
    virsh = printed(xml_document(Bytes(choices)).encode("utf-8", "surrogatepass"))
    if virsh is None:
        return
    check_xml(virsh)
    yaml = by_codec(virsh)
    assert yaml is not None
    check_yaml(yaml.encode())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PRINTED), SEEDS)
def test_xml_with_changed_lines_converts_as_by_the_codec_or_not_at_all(text: bytes, seed: int) -> None:
    random = Random(seed)  # noqa: S311  (drawing each choice from hypothesis takes a hundred times as long)
    check_xml(changed(text.decode(), random, PRINTED).encode())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(YAML), SEEDS)
def test_yaml_with_changed_lines_converts_as_by_the_codec_or_not_at_all(text: bytes, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    check_yaml(changed(text.decode(), random, YAML).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PRINTED), SEEDS)
def test_a_layout_that_differs_line_by_line_is_described_and_applied_as_with_a_tree(text: bytes, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    lines = []
    for line in text.decode().removesuffix("\n").split("\n"):
        if random.random() < 0.1:
            lines.append(random.choice(("", "", "    ", "\t")))
        shift = random.choice((0, 0, 0, 1, 2, -1, -2))
        body = line.lstrip(" ")
        indent = " " * max(len(line) - len(body) + shift, 0)
        if "&" not in line and '"' not in line:
            body = body.replace("'", random.choice("''\""))
        lines.append(indent + body.replace("/>", random.choice(("/>", "/>", " />"))))
    original = "\n".join(lines)
    regular = layout.regular(original.encode())
    if regular is None or by_codec(original.encode()) is None:
        return
    assert regular.layout == layout.describe(original, regular.text)
    if printed(original.encode()) == f"{regular.text}\n".encode() and regular.layout is not None:
        assert layout.apply_to_lines(f"{regular.text}\n", regular.layout) == layout.apply(
            f"{regular.text}\n", regular.layout
        )


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PRINTED), st.sampled_from(PRINTED), SEEDS)
def test_any_layout_is_applied_to_lines_as_it_is_with_a_tree(text: bytes, other: bytes, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    words = [
        random.choice(
            (
                "quotes=double",
                "quotes=single,3",
                "indent=4",
                "indent=0,2:+1",
                "blank=2,4:3",
                "space=3:n1s4n1s2",
                "slash=space,1",
            )
        )
        for _ in range(3)
    ]
    named = random.choice(("open=source", "open=driver#1-2;model", "shut=devices", "bracket=1-3", "newline=crlf"))
    described = layout.describe(other.decode().replace("'", '"'), other.decode()) or ""
    for described_by in (" ".join([*words, named]), described):
        assert layout.apply_to_lines(text.decode(), described_by) == layout.apply(text.decode(), described_by)

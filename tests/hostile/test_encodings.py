"""Every encoding that XML allows is read, also for several documents in one file; the output is UTF-8."""

from __future__ import annotations

import pytest

from analyser.convert import convert
from analyser.yamlreader import load_all

# Encoding, as it is declared, and a name that it can hold.
ENCODINGS = {
    "UTF-8": "é日本😀",
    "utf8": "é日本😀",
    "UTF-16": "é日本😀",
    "UTF-16LE": "é日本😀",
    "UTF-16BE": "é日本😀",
    "UTF-32": "é日本😀",
    "UTF-32LE": "é日本😀",
    "UTF-32BE": "é日本😀",
    "US-ASCII": "plain",
    "ISO-8859-1": "é£ÿ",
    "latin1": "é£ÿ",
    "ISO-8859-2": "łőž",
    "ISO-8859-3": "ħĉ",
    "ISO-8859-4": "ķģ",
    "ISO-8859-5": "Жщ",
    "ISO-8859-6": "عرب",
    "ISO-8859-7": "αω",
    "ISO-8859-8": "שלום",
    "ISO-8859-9": "ğş",
    "ISO-8859-10": "þŋ",
    "ISO-8859-11": "ไทย",
    "ISO-8859-13": "ųž",
    "ISO-8859-14": "ŵŷ",
    "ISO-8859-15": "€œ",
    "ISO-8859-16": "șț",
    "windows-1250": "łőž",
    "windows-1251": "Жщ",
    "windows-1252": "é€œ",
    "windows-1253": "αω",
    "windows-1254": "ğş",
    "windows-1255": "שלום",
    "windows-1256": "عرب",
    "windows-1257": "ųž",
    "windows-1258": "ơư",
    "KOI8-R": "Жщ",
    "KOI8-U": "їґ",
    "Shift_JIS": "日本語",
    "EUC-JP": "日本語",
    "ISO-2022-JP": "日本語",
    "EUC-KR": "한글",
    "Big5": "中文",
    "GBK": "中文",
    "GB2312": "中文",
    "GB18030": "中文😀",
    "IBM850": "éü",
    "macintosh": "éü",
}


def document(encoding: str, text: str) -> bytes:
    return (
        f"<?xml version='1.0' encoding='{encoding}'?>\n<domain type='kvm'>\n  <name>{text}</name>\n</domain>\n".encode(
            encoding
        )
    )


def names(yaml: str) -> list[str]:
    return [each["spec"]["domain"]["name"] for each in load_all(yaml)]


@pytest.mark.parametrize(("encoding", "text"), ENCODINGS.items())
def test_a_document_in_any_encoding_keeps_its_characters(encoding: str, text: str) -> None:
    result = convert(document(encoding, text), file="f")
    assert names(result.text) == [text]


@pytest.mark.parametrize(("encoding", "text"), ENCODINGS.items())
def test_several_documents_in_any_encoding_keep_theirs(encoding: str, text: str) -> None:
    one = document(encoding, text)
    # A byte order mark stands at the beginning of a file alone.
    other = document(encoding.replace("UTF-16", "UTF-16LE") if encoding == "UTF-16" else encoding, text)
    if encoding == "UTF-32":
        other = document("UTF-32LE", text)
    result = convert(one + other, file="f")
    assert (result.count, names(result.text)) == (2, [text, text])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_enough(encoding: str) -> None:
    assert names(convert("<domain><name>é😀</name></domain>".encode(encoding), file="f").text) == ["é😀"]


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1140"])
def test_ebcdic_is_known_by_its_first_characters(encoding: str) -> None:
    assert names(convert(document(encoding, "éü"), file="f").text) == ["éü"]


def test_what_only_looks_like_a_declaration_stays_text() -> None:
    quoted = '<domain><name><![CDATA[<?xml version="1.0"?>]]></name></domain>'
    text = f"{quoted}\n<!-- <?xml ?> --><domain><name>b</name></domain>"
    assert names(convert(text.encode(), file="f").text) == ['<?xml version="1.0"?>', "b"]

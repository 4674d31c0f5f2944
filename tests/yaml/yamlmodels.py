"""Random documents of the model, with the strings that YAML readers disagree about."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from analyser.model import Comment

LONG = 900

# fmt: off
NASTY = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "true", "True",
    "TRUE", "false", "False", "FALSE", "null", "Null", "NULL", "~", "yEs", "tRue", "oN", "nULL", "0", "1", "-1", "+1",
    "00", "007", "0744", "0o17", "0O17", "017", "08", "0x10", "0xFF", "0X1f", "0b1", "0B1", "-0b11", "1_000", "_1",
    "1_", "_", "__", "-0", "-0x1", "1.5", ".5", "5.", "1.", "1e3", "1E3", "1e+3", "1e-3", "-1e3", "1.0e3", ".inf",
    "-.inf", "+.inf", ".Inf", ".INF", "inf", "-inf", "Inf", "Infinity", "-infinity", "nan", ".nan", ".NaN", ".NAN",
    "NaN", "1:20", "1:20:30", "190:20:30.15", "12:30", "0x1p-2", "1p4", "0xdeadbeef", "deadbeef", "123abc", "1e",
    "1E", "12e03", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "99999999999999999999", "1e400", "2001-01-01", "2001-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43Z",
    "=", "<<", "<", ">", ">-", "|", "|-", "-", "--", "---", "----", "..", "...", "....", "?", "!", "!!", "!foo",
    "!!str", "*", "*a", "&", "&a", "%", "%YAML", "@", "@a", "`", "`a", "#", "#a", ",", ",a", "[", "]", "{", "}", "[]",
    "{}", "{a}", "[a]", ":", "::", "a:", ":a", "a:b", "sha256:abc", "52:54:00:aa:bb:cc", "http://example.org/a#b",
    "a#b", "#b", "-a", "--a", "-device", "--foo", "-1a", "-.5", "-_", "~/x", "~a", "/x/y-z.xml", "./x", ".hidden",
    "4Gi", "1K", "2T", "1.2.3", "10.0.0.1", "10.0.0.0/8", "fe80::1", "::1", "hvm", "pc-q35-9.2", "x86_64", "1,000",
    "1,2", "4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "12345678-1234-1234-1234-123456789012",
    "00000000-0000-0000-0000-000000000000", "it's", '"quoted"', "'single'", 'say"hi"', "back\\slash", "\\n", "\\x41",
    "$HOME", "${a}", "(a)", "a(b)", "<a/>", "<a:b/>", "<<a", "<!--x-->", "a|b", "a>b", "a&b", "a*b", "a!b", "a%b",
    "a@b", "a`b", "", " ", "  ", " a", "a ", "a b", "a  b", "a #b", "a# b", "a: b", "a :b", "a : b", "a, b", "- a",
    "? a", "-\ta", "\t", "\ta", "a\tb", "2001-12-14 21:59:43.10 -5", "1 000", "key: value", "<a b='c: d'/>",
    '<a b="c"/>', "<a>:", "!!python/object:os.system", "\n", "\n\n", "a\n", "\na", "a\nb", "a\nb\n", "a\n\n",
    "a\n\nb", "a\n\n\nb\n\n\n", " a\nb", "  a\n b\n", "\n a\n", "\n\n a", "a \nb", "a\n \nb", "a\n  \n", "a\n\tb",
    "\ta\nb", "a\n\t", "a\t\nb", "#a\nb", "a\n#b", "a\n# b\n", "- a\n- b", "a: b\nc: d\n", "---\na", "a\n---\nb\n",
    "...\n...", "a\r\nb", "a\rb", "\r", "%a\nb", "|\n|", "\n#", "a\n ", " \na", "\n\t", "é", "naïve", "日本語", "😀",
    "a\xa0b", "\xa0", "\x85", "a\x85b", "\u2028", "a\u2029b", "\ufeff", "\ufeffa", "\u200b", "\x7f", "\x00",
    "\x1b[0m", "\x07", "\x9f", "\ufffe", "\uffff", "�", "\U0010ffff", "\U0001fffe", "\ue000", "٣", "Ⅷ", "ª", "K",
    "\xe9\n\xfc", "a\x85\nb", "a\u2028\nb", "a\xa0\nb", "́a", "x" * 99, "x" * 101, "x" * 2000, "x y " * 600 + "z",
    '""""""""""""""""""""""""""""""""""""""""', "\\", '\\"', "a" * 1030 + "\nb",
]
# fmt: on


def strings() -> st.SearchStrategy[str]:
    any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    indicators = st.text("ab01 \n\t:#-?|>'\"{}[],&*!%@`~=<.\\_é", max_size=10)
    return st.sampled_from(NASTY) | indicators | any_text | st.text("0123456789abcdefxo_.:+-eETZ", max_size=10)


def scalars() -> st.SearchStrategy[Any]:
    return strings() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 7, 4096])


def documents(*, comments: bool = False) -> st.SearchStrategy[dict[Any, Any]]:
    keys: st.SearchStrategy[Any] = strings() | st.sampled_from(["a", "b", "name", "type", "app.kubernetes.io/name"])
    values: st.SearchStrategy[Any] = st.deferred(lambda: scalars() | mappings | lists)
    if comments:
        keys = keys.filter(lambda key: len(key) < LONG)  # longer ones take a form in which comments are lost
    entries = st.tuples(keys, values)
    items = values
    if comments:
        entries = entries | st.tuples(comment_objects(), st.none())
        items = values | comment_objects()
    mappings: st.SearchStrategy[Any] = st.lists(entries, max_size=4).map(dict)
    lists: st.SearchStrategy[Any] = st.lists(items, max_size=4)
    return mappings


def comment_objects() -> st.SearchStrategy[Comment]:
    lines = st.text(st.sampled_from("ab #-:|{}\t\"'é") | st.characters(min_codepoint=32, max_codepoint=126), max_size=6)
    return st.lists(lines, min_size=1, max_size=3).map("\n".join).map(Comment)


def visible(value: Any) -> Any:
    """*value* with its comments as plain tuples, and the order of its keys, so that two documents can be compared."""
    if isinstance(value, dict):
        return [(visible(key), visible(each)) for key, each in value.items()]
    if isinstance(value, list):
        return ["list", *map(visible, value)]
    if isinstance(value, Comment):
        return ("comment", value.text)
    return (type(value).__name__, value)

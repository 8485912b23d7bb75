"""One meaning or none."""

import json
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod.auth.strict_json import parse_object

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)

AMBIGUOUS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "two documents": b"{}{}",
    "a comment": b"{}//",
    "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "an overlong encoding": b'{"a":"\xc0\xaf"}',
    "half a surrogate pair in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "the first half of a surrogate pair": rb'{"a":"\ud83d"}',
    "the second half of a surrogate pair": rb'{"a":"\ude00"}',
    "half a surrogate pair as a name": rb'{"\ud83d":1}',
    "half a surrogate pair within": rb'{"a":[{"b":["\ud83d"]}]}',
    "a control character": b'{"a":"\x00"}',
    "a list": b"[]",
    "text": b'"alg"',
    "a number": b"1",
    "true": b"true",
    "null": b"null",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "an integer of 5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, spelt otherwise": rb'{"a":1,"\u0061":1}',
    "a name twice within": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "lists in lists": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lists in lists without an end": b'{"a":' + b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_parsers_may_read_in_different_ways_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_object(data)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_every_other_object_is_read_as_it_was_written(value: dict[str, Any], ascii_only: bool) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" {} \r\n", {}),
        (rb'{"a":"\ud83d\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (rb'{"a":"\\ud83d"}', {"a": r"\ud83d"}),
        (rb'{"a":"\u0000"}', {"a": "\0"}),
        (b'{"a":1e400}', {"a": float("inf")}),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
    ],
    ids=["spaces", "a surrogate pair", "an escaped backslash", "NUL", "a huge float", "names in two objects"],
)
def test_what_is_odd_but_clear_is_read(data: bytes, value: dict[str, Any]) -> None:
    assert parse_object(data) == value


@given(st.binary(max_size=100) | st.text(alphabet='{}[]":,\\u0dN1e-', max_size=100).map(str.encode))
def test_any_bytes_are_an_object_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse_object(data), dict)


@pytest.mark.parametrize("text", [b'"x"', rb'"\u0041"'], ids=["plain text", "an escape"])
@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_just_at_the_limit_of_nesting_there_is_no_other_error(text: bytes, start: bytes, end: bytes) -> None:
    limit = sys.getrecursionlimit()
    for depth in range(limit - 200, limit):
        with suppress(ValueError):
            parse_object(b'{"x":%b,"y":%b%b%b}' % (text, start * depth, b"1", end * depth))

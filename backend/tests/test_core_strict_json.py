"""JSON as RFC 8259 means it: what the standard parser would let through is refused by name."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import MalformedBody
from backend.core.strict_json import MAX_DEPTH, loads

# Text as PostgreSQL can store it.
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | _text
_values = st.recursive(
    _scalars.filter(lambda value: not isinstance(value, float) or math.isfinite(value)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=20,
)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@given(_values, st.booleans())
def test_what_is_json_is_read_as_it_was_written(value: object, escaped: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "line 1, column 1"),
        (b"  ", "line 1, column 3"),
        (b"hello", "line 1, column 1"),
        (b'{"a": 1} x', "line 1, column 10"),
        (b'{"a": 1}{"a": 2}', "line 1, column 9"),
        (b'{"a": 1,}', "line 1"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'{"a": 01}', "line 1"),
        (b'{"a": "\n"}', "Invalid control character at line 1, column 8"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b'{"a": "\xff"}', "not UTF-8 (byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\xc0\x80"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": Infinity}', "Infinity is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1e400}', "1e400 is too large"),
        (b'{"a": -1e400}', "-1e400 is too large"),
        (b'{"a": 1' + b"0" * 4_999 + b"}", "5000 digits"),
        (b'{"a": -1' + b"0" * 4_999 + b"}", "digits"),
        (b'{"a": 1, "a": 1}', "'a' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' appears twice"),
        (b'{"b": [{"a": 1, "c": 2, "a": 3}]}', "'a' appears twice"),
        (b'{"a": "\\u0000"}', "U+0000"),
        (b'{"\\u0000": 1}', "U+0000"),
        (b'[[["x\\u0000y"]]]', "U+0000"),
        (b'"\\u0000"', "U+0000"),
        (b'{"a": "\0"}', "line 1"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"a": "\\udc00\\ud800"}', "half of a surrogate pair"),
        (b'{"\\ud800": 1}', "half of a surrogate pair"),
        (nested(MAX_DEPTH + 1), "32 levels"),
        (nested(100_000), "32 levels"),
        (b"[" * 100_000, "32 levels"),
        (b'{"a":' * 100_000, "32 levels"),
        (b'[{"a":' * 20 + b"1" + b"}]" * 20, "32 levels"),
    ],
    ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_not_is_refused_with_the_reason(raw: bytes, says: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        loads(raw)
    assert says in caught.value.detail
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (nested(MAX_DEPTH), None),
        (b'{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"["}', {"a": "[" * 41 + '"['}),
        (b'["' + b"[" * 40 + b'\\\\", [1]]', ["[" * 40 + "\\", [1]]),
        (b'{"a": "\\ud83d\\ude00 \xf0\x9f\x98\x80"}', {"a": "\N{GRINNING FACE} \N{GRINNING FACE}"}),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        (b" \t\r\n[1, -0.5, 1e3, true, null] \n", [1, -0.5, 1000.0, True, None]),
        (b"9" * 40, int("9" * 40)),
        (b'{"": "\\\\u0000"}', {"": "\\u0000"}),
    ],
    ids=range(8),
)
def test_what_only_looks_odd_is_read(raw: bytes, value: object) -> None:
    read = loads(raw)
    if value is not None:
        assert read == value


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    secret = "hunter2" * 50
    for raw in (f'{{"{secret}": 1, "{secret}": 2}}', f'{{"password": "{secret}", x}}', f'"{secret}\\u0000"'):
        with pytest.raises(MalformedBody) as caught:
            loads(raw.encode())
        assert secret not in caught.value.detail


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except MalformedBody:
        return
    assert json.loads(raw) == value

"""The small readers below the catalog: where keys are written, and amounts with units."""

import pytest

from backend.catalog.lines import locate
from backend.catalog.units import InvalidAmount, amount_text, parse_amount, parse_span


def test_lines_are_found_through_every_form_of_toml() -> None:
    text = '''\
# a comment with = and [brackets]
top = "a # no comment" # one
"quoted key" = 1
a.b = 2
text = """
fake = 1
[fake]
"""
raw = \'\'\'
x = "\'\'\'
[table] # comment
list = [ # one
  1, { in = "}]", out = [2] },
  3,
]
day = 1979-05-27 07:32:00
[[many]]
x = 1
[[many]]
x = 2
[many.below]
y = 3
[table.sub . 'key']
z = {}
'''
    assert locate(text) == {
        ("top",): 2,
        ("quoted key",): 3,
        ("a",): 4,
        ("a", "b"): 4,
        ("text",): 5,
        ("raw",): 9,
        ("table",): 11,
        ("table", "list"): 12,
        ("table", "list", 0): 13,
        ("table", "list", 1): 13,
        ("table", "list", 1, "in"): 13,
        ("table", "list", 1, "out"): 13,
        ("table", "list", 1, "out", 0): 13,
        ("table", "list", 2): 14,
        ("table", "day"): 16,
        ("many",): 17,
        ("many", 0): 17,
        ("many", 0, "x"): 18,
        ("many", 1): 19,
        ("many", 1, "x"): 20,
        ("many", 1, "below"): 21,
        ("many", 1, "below", "y"): 22,
        ("table", "sub"): 23,
        ("table", "sub", "key"): 23,
        ("table", "sub", "key", "z"): 24,
    }


@pytest.mark.parametrize(
    ("text", "base", "amount"),
    [
        ("100 MB", "byte", 10**8),
        ("10_000 MB", "byte", 10**10),
        ("60 minute", "second", 3_600),
        ("2 hours", "second", 7_200),
        ("5kB", "byte", 5_000),
        ("7 call", "call", 7),
        ("0 MB", "byte", 0),
    ],
)
def test_amounts_have_units(text: str, base: str, amount: int) -> None:
    assert parse_amount(text, base) == amount


@pytest.mark.parametrize("text", ["MB", "-1 MB", "1 MiB", "1.5 MB", "1e3 MB", "1  MB", "", "1 MB ", "\u0661 MB"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(text, "byte")


def test_spans_and_shown_amounts() -> None:
    assert [parse_span(text) for text in ("30s", "1m", "2h", "1d")] == [30, 60, 7_200, 86_400]
    assert amount_text(10**8, "byte", "MB") == "100 MB"
    assert amount_text(10**8 + 1, "byte", "MB") == "100,000,001 bytes"
    assert amount_text(1_000, "job", None) == "1,000 jobs"
    assert amount_text(1, "job", None) == "1 job"
    assert amount_text(0, "query", None) == "0 queries"
    assert amount_text(3_600, "second", "minute") == "60 minutes"
    assert amount_text(None, "byte", "MB") == "unlimited"

"""Money: exact in, exact out."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.money import InvalidMoney, Money, exponent, parse_major, round_to_minor

currencies = st.sampled_from(["USD", "EUR", "JPY", "KRW", "KWD", "TND"])


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("19.99", "USD", 1_999),
        ("19.9", "USD", 1_990),
        ("199.00", "USD", 19_900),
        ("0", "USD", 0),
        ("-0.05", "USD", -5),
        ("0.29", "EUR", 29),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("1.234", "KWD", 1_234),
        ("1.2", "KWD", 1_200),
        ("999999999999999.99", "USD", 99_999_999_999_999_999),
    ],
)
def test_major_units_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert parse_major(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("19.999", "USD"),
        ("0.5", "JPY"),
        ("1.2345", "KWD"),
        ("", "USD"),
        (" 1", "USD"),
        ("1,99", "USD"),
        ("1e3", "USD"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        (".5", "USD"),
        ("5.", "USD"),
        ("007", "USD"),
        ("+1", "USD"),
        ("\u0661", "USD"),
        ("1\n", "USD"),
        ("9" * 5_000, "USD"),
        ("1.00", "usd"),
        ("1.00", "DOLLAR"),
        ("1.00", ""),
    ],
)
def test_anything_else_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InvalidMoney):
        parse_major(text, currency)


@pytest.mark.parametrize("value", [19.99, 5, True, None, Decimal("19.99")])
def test_only_text_is_read(value: Any) -> None:
    with pytest.raises(InvalidMoney, match="quotes"):
        parse_major(value, "USD")


@pytest.mark.parametrize("value", [19.0, True, "5", None])
def test_an_amount_is_an_integer(value: Any) -> None:
    with pytest.raises(InvalidMoney, match="whole"):
        Money(value, "USD")


@given(st.integers(-(10**17), 10**17), currencies)
def test_what_is_written_is_read_again(minor: int, currency: str) -> None:
    # 15 digits before the point are what is read.
    if abs(minor) < 10 ** (15 + exponent(currency)):
        money = Money(minor, currency)
        assert parse_major(money.major(), currency) == money


@given(st.integers(0, 99_999), currencies)
def test_every_price_to_the_minor_unit(minor: int, currency: str) -> None:
    decimals = exponent(currency)
    text = f"{minor // 10**decimals}.{minor % 10**decimals:0{decimals}d}" if decimals else str(minor)
    assert parse_major(text, currency).amount_minor == minor


def test_logs_show_amount_and_currency() -> None:
    assert str(Money(1_999, "USD")) == "19.99 USD"
    assert str(Money(-5, "USD")) == "-0.05 USD"
    assert str(Money(500, "JPY")) == "500 JPY"
    assert str(Money(10**20, "USD")) == "1000000000000000000.00 USD"


@pytest.mark.parametrize(
    ("amount", "minor"), [("0.5", 0), ("1.5", 2), ("2.5", 2), ("-0.5", 0), ("-1.5", -2), ("2.50001", 3), ("7", 7)]
)
def test_halves_go_to_the_even_side(amount: str, minor: int) -> None:
    assert round_to_minor(Decimal(amount)) == minor


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number_is_no_money(amount: str) -> None:
    with pytest.raises(InvalidMoney):
        round_to_minor(Decimal(amount))


@pytest.mark.parametrize("currency", ["US", "usd", "US1", "ÄÖÜ", "USD\n"])
def test_a_currency_is_a_code(currency: str) -> None:
    with pytest.raises(InvalidMoney):
        Money(1, currency)

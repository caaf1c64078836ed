"""Money: integer minor units and a currency. No float goes in, and none comes out."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# ISO 4217 (list one): the currencies that do not have two decimals.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

_CURRENCY = re.compile(r"[A-Z]{3}")
_MAJOR = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,6}))?")


class InvalidMoney(ValueError):
    """The text is not an amount of that currency."""


def exponent(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): USD 2, JPY 0, KWD 3. Raises InvalidMoney for what is no code."""
    if not _CURRENCY.fullmatch(currency):
        raise InvalidMoney(f"a currency is three capital letters (ISO 4217), not {currency!r}")
    return _DECIMALS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for USD, yen for JPY, fils for KWD). Raises InvalidMoney for a bad currency."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        # A bool is an int to Python and a mistake here; so is a float that happens to be whole.
        if type(self.amount_minor) is not int:
            raise InvalidMoney(f"an amount is whole minor units, not {self.amount_minor!r}")
        exponent(self.currency)

    def __str__(self) -> str:
        """For logs and plain text: `19.99 USD`, `-0.05 USD`, `500 JPY`. Screens format by locale."""
        return f"{self.major()} {self.currency}"

    def major(self) -> str:
        """The amount in major units as decimal text, with all decimals of the currency: `19.90`."""
        decimals = exponent(self.currency)
        return f"{Decimal(self.amount_minor).scaleb(-decimals):f}"


def parse_major(text: str, currency: str) -> Money:
    """Reads major units: `"19.99"` of USD is 1999. Nothing is rounded.

    Raises InvalidMoney for anything but plain decimal text, and for more decimals than the currency has.
    """
    decimals = exponent(currency)
    if not isinstance(text, str):
        raise InvalidMoney(f'an amount is decimal text in quotes, like "19.99", not {text!r}')
    found = _MAJOR.fullmatch(text)
    if found is None:
        raise InvalidMoney(f'an amount is plain decimal text like "19.99", not {text!r}')
    sign, whole, fraction = found[1], found[2], found[3] or ""
    if len(fraction) > decimals and fraction.rstrip("0") != fraction[:decimals].rstrip("0"):
        raise InvalidMoney(f"{currency} has {decimals} decimals; {text!r} has more")
    minor = int(whole + fraction[:decimals].ljust(decimals, "0"))
    return Money(-minor if sign else minor, currency)


def round_to_minor(amount: Decimal) -> int:
    """The one rounding of money: a computed amount of minor units to whole ones, half to even.

    Half to even favours neither side over many invoices. Raises InvalidMoney for what is no number.
    """
    if not amount.is_finite():
        raise InvalidMoney(f"{amount} is no amount")
    return int(amount.to_integral_value(ROUND_HALF_EVEN))

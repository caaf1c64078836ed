"""Amounts with units: how limits and times are written in a catalog, and how they are shown."""

import re

from backend.catalog.problems import nearest

# Base units that have others above them. MB is 10^6 bytes, as storage is sold.
_FAMILIES: dict[str, dict[str, int]] = {
    "byte": {"byte": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    "second": {"second": 1, "minute": 60, "hour": 3_600},
}
_PLURALS = {"bytes": "byte", "seconds": "second", "minutes": "minute", "hours": "hour"}
# Times, in seconds.
SPANS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

_AMOUNT = re.compile(r"([0-9](?:_?[0-9]){0,18}) ?([A-Za-z_]+)", re.ASCII)
_SPAN = re.compile(r"([1-9][0-9]{0,6})([a-z])", re.ASCII)


class InvalidAmount(ValueError):
    """The text is no amount of that unit; `suggestion` may say what was meant."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def units_of(base: str) -> dict[str, int]:
    """The units in which amounts of a base unit may be written, with their size in it."""
    return _FAMILIES.get(base, {base: 1})


def parse_amount(text: str, base: str) -> int:
    """Reads `"100 MB"` of bytes as 100,000,000 and `"60 minute"` of seconds as 3,600. Raises InvalidAmount."""
    units = units_of(base)
    found = _AMOUNT.fullmatch(text)
    if found is None:
        example = next(reversed(units))
        raise InvalidAmount(f'must be a whole number with a unit, like "5 {example}", or "unlimited", not "{text}"')
    unit = _PLURALS.get(found[2], found[2])
    if unit not in units:
        listed = ", ".join(units)
        raise InvalidAmount(f'"{found[2]}" is not a unit of {base}: {listed}', nearest(unit, units))
    return int(found[1]) * units[unit]


def parse_span(text: str) -> int:
    """Reads `"1m"` as 60 seconds: a number and one of s, m, h, d; at most one day. Raises InvalidAmount."""
    found = _SPAN.fullmatch(text)
    if found is None or found[2] not in SPANS:
        raise InvalidAmount(f'must be a time like "30s", "1m", "2h" or "1d", not "{text}"')
    seconds = int(found[1]) * SPANS[found[2]]
    if seconds > SPANS["d"]:
        raise InvalidAmount(f'must be at most "1d", not "{text}"')
    return seconds


def amount_text(amount: int | None, base: str, display_unit: str | None) -> str:
    """For people: `100 MB`, `10 jobs`, `1,500 bytes` where MB would need a fraction, `unlimited` for None."""
    if amount is None:
        return "unlimited"
    size = units_of(base).get(display_unit or base, 1)
    if amount % size:
        return _counted(amount, base)
    return _counted(amount // size, display_unit or base)


def rounded_text(amount: int, base: str, display_unit: str | None) -> str:
    """For sentences that name the meter: `1,204`, `83.4 MB`, `59.5 minutes`. Rounded down: 99.99 MB are not 100.

    In the unit of display, or a smaller one where the amount is less than one of it.
    """
    units = units_of(base)
    if len(units) == 1:
        return f"{amount:,}"
    largest = units.get(display_unit or base, 1)
    unit = max((name for name, size in units.items() if size <= min(largest, max(amount, 1))), key=units.__getitem__)
    whole, rest = divmod(amount * 10 // units[unit], 10)
    if rest == 0:
        return _counted(whole, unit)
    return f"{whole:,}.{rest} {_counted(2, unit).partition(' ')[2]}"


def _counted(number: int, unit: str) -> str:
    """A unit in words has a plural; a symbol such as MB has none."""
    if number == 1 or unit != unit.lower() or unit.endswith("s"):
        return f"{number:,} {unit}"
    ends_in_y = unit.endswith("y") and unit[-2:-1] not in "aeiou"
    return f"{number:,} {unit[:-1]}ies" if ends_in_y else f"{number:,} {unit}s"

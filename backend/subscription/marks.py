"""At which shares of a quota a customer is told, in units of the meter. Pure."""

from collections.abc import Collection

# Whoever has reached one has reached those before it.
PERCENTS = (80, 95, 100)
FULL = 100


def mark(limit: int, percent: int) -> int:
    """The least use that is this share of a limit: 8 for 80 % of 10, 3 for 80 % of 3."""
    return -(-limit * percent // 100)


def reached(used: int, limit: int | None) -> tuple[int, ...]:
    """The shares that `used` has reached; none where there is no limit, or nothing to use."""
    return tuple(percent for percent in PERCENTS if limit and used >= mark(limit, percent))


def next_look(limit: int | None, told: Collection[int]) -> int | None:
    """The use at whose passing somebody has to look again: the first mark that was not told, or else the limit.

    None where there is no limit, or nothing to use.
    """
    if not limit:
        return None
    return next((mark(limit, percent) for percent in PERCENTS if percent not in told), limit)

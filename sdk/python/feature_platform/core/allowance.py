"""How much a process may set aside to spend in memory. Pure whole numbers, the same in the server and in hosts.

An allowance is a hold that a process takes for itself. It is small: at most a second of what the account spends and
a fiftieth of what is free, so that what a dead process strands is small, too. Close to the limit there is none: in
this exact tail every unit is spent where all processes see it.
"""

from typing import NamedTuple

# Below so many free units every spend is settled at once.
TAIL_UNITS = 64

# An allowance takes at most this part of what is free.
SHARE = 50

# So many allowances for each process that spends must fit into what is free.
CHUNKS_PER_HOLDER = 4

# What a process asks for before it has seen how fast an account spends, and the most it ever asks for.
FIRST_WISH = 16
LARGEST_WISH = 1_000_000

# How much more than the last time a process asks for at most: one burst does not make a fast account.
_GROWTH = 4


def free_units(limit: int | None, taken: int) -> int | None:
    """What is neither used, held nor forfeited; None is unlimited. Never negative."""
    return None if limit is None else max(0, limit - taken)


def chunk(free: int | None, wish: int, holders: int) -> int:
    """The allowance for a wish; 0 in the tail, where none is given. `holders` counts processes, this one included."""
    if free is None:
        return min(wish, LARGEST_WISH)
    if free < TAIL_UNITS:
        return 0
    return max(0, min(wish, LARGEST_WISH, free // SHARE, free // (CHUNKS_PER_HOLDER * max(1, holders))))


def next_wish(last_wish: int, spent: int, nanoseconds: int) -> int:
    """A second of the rate at which `spent` units went in that time; at least one unit."""
    per_second = spent * 1_000_000_000 // max(1, nanoseconds)
    return max(1, min(per_second, last_wish * _GROWTH, LARGEST_WISH))


class Grant(NamedTuple):
    """What became of one process's wish for one counter."""

    amount: int
    free: int | None
    """What is left for others after it."""
    is_tail: bool
    """Nothing is set aside any more: spend where all processes see it."""


def grant(*, limit: int | None, taken: int, wish: int, holders: int) -> Grant:
    """Sets aside for one wish. used + held + forfeited + amount never passes the limit."""
    free = free_units(limit, taken)
    amount = chunk(free, wish, holders)
    return Grant(amount, None if free is None else free - amount, is_tail=amount == 0)

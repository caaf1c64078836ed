"""What measurements yield, and how it is kept between runs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.processes import WORK

KEPT = WORK / "results.json"


@dataclass(frozen=True)
class Figure:
    """One number of the table. `key` names its row; `at` is the number of connections, 0 where there are none.

    `low` and `high` are the extremes of the rounds whose median `value` is. Without a value, `note` says why.
    """

    key: str
    value: float | None = None
    at: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""

    @classmethod
    def median(cls, key: str, values: Sequence[float], *, at: int = 0, note: str = "") -> "Figure":
        return cls(key, statistics.median(values), at, min(values), max(values), note)


@dataclass(frozen=True)
class Row:
    """What one server did with a number of connections: medians of the rounds.

    Requests a second, milliseconds, microseconds of processor time a request; `busy`: the load's share of its core.
    """

    suite: str
    server: str
    at: int
    rate: float
    p50: float
    p99: float
    cpu: float
    busy: float
    not_ok: int


@dataclass(frozen=True)
class Result:
    """All that one suite yielded."""

    suite: str
    date: str
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def load(path: Path = KEPT) -> dict[str, Result]:
    """The last full result of each suite."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    return {
        name: Result(
            suite=one["suite"],
            date=one["date"],
            figures=tuple(Figure(**figure) for figure in one["figures"]),
            rows=tuple(Row(**row) for row in one["rows"]),
            remarks=tuple(one["remarks"]),
        )
        for name, one in found.items()
    }


def save(results: dict[str, Result], path: Path = KEPT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: asdict(one) for name, one in results.items()}, indent=1))

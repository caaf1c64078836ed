"""Reads tables of a TOML text strictly: every key that is asked for is known, every other one is a problem."""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from backend.catalog.depth import MOST_DEEP, too_deep
from backend.catalog.lines import Path, locate
from backend.catalog.problems import InvalidCatalog, Problem, nearest

MOST_PROBLEMS = 100
# Of meters, features, scopes, plans: everything is compared with everything.
MOST_NAMES = 100
_LONGEST_SAID = 300
_TOO_LONG = "this is not TOML: a whole number has at most 64 bits"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DIGITS = re.compile(r"[0-9_]+")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")
_KINDS = {str: "text in quotes", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class Float:
    """A number with a point, as written. Nothing in a catalog is one."""

    text: str

    def __str__(self) -> str:
        return self.text


class Source:
    """A text, its values, the lines of its keys, and the problems found so far.

    Reading takes time in proportion to the text, whatever it says. Raises InvalidCatalog for what is no TOML.
    """

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        line = too_deep(text)
        if line is not None:
            message = f"the file is nested too deeply: at most {MOST_DEEP} names or brackets within each other"
            raise InvalidCatalog([Problem(line, "", message)])
        try:
            values = tomllib.loads(text, parse_float=Float)
        except tomllib.TOMLDecodeError as error:
            raise InvalidCatalog([_of_syntax(str(error), text)]) from error
        except ValueError as error:  # digits, so many that Python does not even read them
            run = max(_DIGITS.finditer(text), key=lambda digits: len(digits[0]))
            line = text.count("\n", 0, run.start()) + 1
            raise InvalidCatalog([Problem(line, "", _TOO_LONG)]) from error
        self._lines = locate(text)
        for path in _beyond_64_bits(values):
            self.report(path, _TOO_LONG)
        if self.problems:
            raise InvalidCatalog(self.problems)
        self.root = Table(self, (), values)

    def report(self, path: Path, message: str, suggestion: str | None = None) -> None:
        """Raises InvalidCatalog when there are so many that nobody reads the rest."""
        place = path
        while place and place not in self._lines:
            place = place[:-1]
        key = _cut(".".join(str(part) for part in path))
        self.problems.append(Problem(self._lines.get(place), key, _cut(message), suggestion))
        if len(self.problems) == MOST_PROBLEMS:
            more = Problem(None, "", f"these are {MOST_PROBLEMS} mistakes, and there may be more; correct them first")
            raise InvalidCatalog([*self.problems, more])


class Table:
    """One table. What is wrong is reported and read as None, so that reading goes on and finds the rest."""

    def __init__(self, source: Source, path: Path, values: dict[str, Any]) -> None:
        self._source = source
        self.path = path
        self._values = values
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def report(self, key: str | None, message: str, suggestion: str | None = None) -> None:
        self._source.report(self.path if key is None else (*self.path, key), message, suggestion)

    def raw(self, key: str, *, required: bool = False) -> Any:
        """Whatever is there; None where nothing is."""
        self._known.add(key)
        if required and key not in self._values:
            self.report(None, f"{key} is missing")
        return self._values.get(key)

    def text(self, key: str, *, required: bool = True) -> str | None:
        value: str | None = self._typed(key, str, required=required)
        if value is not None and not (value.strip() and value.isprintable()):
            self.report(key, "is empty or has characters that cannot be shown")
            return None
        return value

    def integer(self, key: str, low: int, high: int, *, required: bool = True) -> int | None:
        value: int | None = self._typed(key, int, required=required)
        if value is not None and not low <= value <= high:
            self.report(key, f"must be from {low:,} to {high:,}, not {value:,}")
            return None
        return value

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, bool, required=False))

    def choice(self, key: str, options: Collection[str], *, required: bool = True) -> str | None:
        value = self.text(key, required=required)
        return value if value is None else self.one_of(key, value, options)

    def one_of(self, key: str, value: str, options: Collection[str]) -> str | None:
        if value in options:
            return value
        listed = ", ".join(f'"{option}"' for option in options)
        self.report(key, f'must be one of {listed}, not "{value}"', nearest(value, options))
        return None

    def items(self, key: str) -> list[Any]:
        found: list[Any] | None = self._typed(key, list, required=False)
        return found or []

    def table(self, key: str, *, required: bool = False) -> "Table":
        """The table under a key, an empty one where none is."""
        found: dict[str, Any] | None = self._typed(key, dict, required=required)
        return Table(self._source, (*self.path, key), found or {})

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables of a list."""
        for index, value in enumerate(self.items(key)):
            path = (*self.path, key, index)
            if isinstance(value, dict):
                yield Table(self._source, path, value)
            else:
                self._source.report(path, f"must be a table, not {_shown(value)}")

    def named(self, what: str) -> Iterator[tuple[str, "Table"]]:
        """All tables in this one, by their names. Raises InvalidCatalog where there are too many."""
        if len(self._values) > MOST_NAMES:
            self.report(None, f"has {len(self._values):,} entries; there may be at most {MOST_NAMES}")
            raise InvalidCatalog(self._source.problems)
        for name in self._values:
            if not _NAME.fullmatch(name):
                self._known.add(name)
                self.report(name, f"the name of {what} is a lower-case word of letters, digits and _")
            else:
                yield name, self.table(name)

    def names(self) -> Collection[str]:
        return self._values.keys()

    def finish(self) -> None:
        """Reports every key that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                self.report(key, "is not a key that is known here", nearest(key, self._known))

    def _typed(self, key: str, kind: type, *, required: bool) -> Any:
        value = self.raw(key, required=required)
        if value is None or type(value) is kind:
            return value
        self.report(key, f"must be {_KINDS[kind]}, not {_shown(value)}")
        return None


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cut(text: str) -> str:
    """What is quoted from a file may be as long as the file: the beginning and the end say enough."""
    if len(text) <= _LONGEST_SAID:
        return text
    return f"{text[: _LONGEST_SAID - 100]} ... {text[-100:]}"


def _beyond_64_bits(values: dict[str, Any]) -> Iterator[Path]:
    """Where numbers are that TOML does not have. Python cannot even write the longest of them."""
    rest: list[tuple[Path, Any]] = [((), values)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            rest += [((*path, key), each) for key, each in value.items()]
        elif isinstance(value, list):
            rest += [((*path, index), each) for index, each in enumerate(value)]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield path


def _of_syntax(message: str, text: str) -> Problem:
    place = _TOML_PLACE.search(message)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return Problem(line, "", _cut(f"this is not TOML: {_TOML_PLACE.sub('', message)}"))

"""What is wrong with a catalog file, said where it is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from heapq import nlargest

# Comparing letter by letter takes long: it is done with words of this length, and with those that are most likely.
_LONGEST_WORD = 64
_MOST_LIKELY = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` counts from 1 and is None where it belongs to the whole file; `key` is the dotted path."""

    line: int | None
    key: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        name = f"{self.key}: " if self.key else ""
        hint = "" if self.suggestion is None else f" Did you mean {self.suggestion}?"
        return f"{where}{name}{self.message}.{hint}"


class InvalidCatalog(Exception):
    """The file is refused as a whole; `problems` has the mistakes that were found, in the order of the lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.key, problem.message)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, if any is."""
    if len(word) > _LONGEST_WORD:
        return None
    matcher = SequenceMatcher(b=word.lower())

    def likeness(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.quick_ratio()

    candidates = {name.lower(): name for name in known if len(name) <= _LONGEST_WORD}
    likely = nlargest(_MOST_LIKELY, candidates, key=likeness)
    found = get_close_matches(word.lower(), likely, n=1, cutoff=0.6)
    return candidates[found[0]] if found else None

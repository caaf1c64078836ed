"""On which line each key of a TOML text is written. The standard library reads values and forgets where they were.

The text has been read by `tomllib` before, so it is valid; this finds keys, and steps over everything else.
"""

import re
from collections.abc import Callable

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL)
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every table, key and array element. Keys with escapes are found as written."""
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        self._counted_to, self._line = 0, 1

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
                count = self._arrays[table] = self._arrays.get(table, -1) + 1
                table = self._note((*table, count))
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self, brackets: int) -> Path:
        self._at += brackets
        path: Path = ()
        for name in self._key():
            # A header below an array of tables speaks of its latest element.
            if path in self._arrays:
                path = (*path, self._arrays[path])
            path = self._note((*path, name))
        self._at += brackets
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for name in self._key():
            path = self._note((*path, name))
        self._skip(_BLANK)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip(_SPACE)
            quoted = self._text[self._at] in "\"'"
            start = self._at
            self._skip(_STRING if quoted else _BARE_KEY)
            names.append(self._text[start + quoted : self._at - quoted])
            self._skip(_SPACE)
            if self._at >= len(self._text) or self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        first = self._text[self._at]
        if first == "{":
            self._sequence("}", lambda _: self._pair(path))
        elif first == "[":
            self._sequence("]", lambda index: self._value(self._note((*path, index))))
        elif first in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_PLAIN_VALUE)

    def _sequence(self, closing: str, element: Callable[[int], object]) -> None:
        self._at += 1
        self._skip(_BLANK)
        index = 0
        while self._text[self._at] != closing:
            element(index)
            index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _note(self, path: Path) -> Path:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        self._lines.setdefault(path, self._line)
        return path

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()

"""JSON as RFC 8259 means it, and as PostgreSQL can store it.

Python's own parser takes NaN, duplicate keys, lone surrogates and any depth. Each of those is refused here with a
sentence that says where it is.
"""

import json
import math
from typing import Any, NoReturn

from backend.core.errors import MalformedBody

MAX_DEPTH = 32
_MAX_DIGITS = 40


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise MalformedBody(f"A number has {len(digits)} digits; at most {_MAX_DIGITS} are read.")
    return int(digits)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MalformedBody(f"The number {text[:40]} is too large.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedBody(f"The key {key[:80]!a} appears twice in one object.")
            seen.add(key)
    return result


def _check_text(value: str) -> None:
    if "\0" in value:
        raise MalformedBody("A string contains the character U+0000, which cannot be stored.")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise MalformedBody("A string contains half of a surrogate pair, which is not a character.")


def _check_tree(value: Any) -> None:
    stack: list[Any] = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            _check_text(node)
        elif isinstance(node, dict):
            stack.extend(node.keys())
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _check_depth(value: Any) -> None:
    """Containers within containers, the outermost included."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> MalformedBody:
    return MalformedBody(f"The body is nested more than {MAX_DEPTH} levels deep.")


def loads(raw: bytes) -> Any:
    """Parses one JSON text. Raises MalformedBody; the sentence never repeats more than a few characters of it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8 (byte {error.start}).") from error
    if text.startswith("\ufeff"):
        raise MalformedBody("The body begins with a byte order mark; send plain UTF-8.")
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        # Some of the parser's sentences wait for a place already: "Invalid control character at".
        said = error.msg.removesuffix(" at")
        raise MalformedBody(f"{said} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    # A NUL or half a surrogate pair can only come from an escape: the decoder above refuses them as bytes.
    if "\\u" in text:
        _check_tree(value)
    return value

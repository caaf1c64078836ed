"""Arrays of thousands of values in PostgreSQL's binary form. The driver makes them, too, but looks at each value twice,
at the moment at which they are sent; these are made before, piece by piece, and joined.

Of connections that speak UTF-8 (`wire.py`). The form: number of dimensions, whether there may be nulls, type of the
elements, length, first index; then each element with its length before it (`array_recv` in the server's arrayfuncs.c).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection, adapters
from psycopg.abc import DumperKey
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

_NULL = b"\xff\xff\xff\xff"
_EIGHT, _SIXTEEN = struct.pack(">i", 8), struct.pack(">i", 16)
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Array(NamedTuple):
    """A whole one, as a parameter of a statement."""

    oid: int
    data: bytes


@dataclass(frozen=True)
class Elements:
    """A type of elements, and how one of them is written."""

    type_name: str
    write: Callable[[Any], bytes]

    def piece(self, values: Sequence[Any]) -> bytes:
        """Values one after another; None is null. Often all are the same one."""
        first = values[0] if values else None
        if all(value is first for value in values):
            return self._one(first) * len(values)
        return b"".join([self._one(value) for value in values])

    def array(self, length: int, pieces: Sequence[bytes]) -> Array:
        """The pieces in their order; `length`: the values of all of them."""
        info = adapters.types[self.type_name]
        head = struct.pack(">iiIii", 1, 1, info.oid, length, 1) if length else struct.pack(">iiI", 0, 0, info.oid)
        return Array(info.array_oid, b"".join([head, *pieces]))

    def _one(self, value: Any) -> bytes:
        return _NULL if value is None else self.write(value)


def _bytes(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


UUIDS = Elements("uuid", lambda value: _SIXTEEN + value.bytes)
INTEGERS = Elements("int8", lambda value: _EIGHT + value.to_bytes(8, "big", signed=True))
MOMENTS = Elements(
    "timestamptz", lambda value: _EIGHT + ((value - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)
)
TEXTS = Elements("text", lambda value: _bytes(value.encode()))
BYTES = Elements("bytea", _bytes)


class _ArrayDumper(Dumper):
    """Hands an Array over as it is; its type is its own."""

    format = Format.BINARY

    def get_key(self, obj: Array, format: PyFormat) -> DumperKey:  # noqa: A002 - the name is the driver's
        return (self.cls, obj.oid)  # type: ignore[return-value]  # the driver asks for something that can be a key

    def upgrade(self, obj: Array, format: PyFormat) -> "_ArrayDumper":  # noqa: A002 - the name is the driver's
        made = _ArrayDumper(self.cls)
        made.oid = obj.oid
        return made

    def dump(self, obj: Array) -> bytes:
        return obj.data


def take_arrays(connection: AsyncConnection[Any]) -> None:
    """Lets a connection take an Array for a parameter."""
    connection.adapters.register_dumper(Array, _ArrayDumper)

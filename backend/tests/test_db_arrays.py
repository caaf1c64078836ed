"""Arrays that are made by hand are what PostgreSQL reads."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import psycopg
import pytest

from backend.core.ids import uuid7
from backend.db.arrays import BYTES, INTEGERS, MOMENTS, TEXTS, UUIDS, Elements, take_arrays
from backend.db.session import driver_url

_ONE = uuid7()
_FAR = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_EAST = datetime(2026, 3, 29, 3, 0, 0, 1, tzinfo=timezone(timedelta(hours=13, minutes=45)))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (UUIDS, [_ONE, None, UUID(int=0), UUID(int=2**128 - 1)]),
        (INTEGERS, [0, -1, 2**63 - 1, -(2**63), None, 1_000]),
        (MOMENTS, [datetime(1, 1, 1, tzinfo=UTC), _FAR, None, _EAST, datetime(2000, 1, 1, tzinfo=UTC)]),
        (TEXTS, ["", "a", None, "äöü 🙂", "'\"\\{},NULL", "x" * 100_000]),
        (BYTES, [b"", b"\0\xff", None, bytes(range(256))]),
    ],
)
@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_every_value_is_read_as_it_is(
    shared_database_url: str, kind: Elements, values: list[Any], pieces: int
) -> None:
    made = [values[at::pieces] for at in range(pieces)]
    sent_ones: list[list[list[Any]]] = [made, [[values[0]] * 5], [[None] * 3, [values[0]]], [[None]], [[]], []]
    for sent in sent_ones:
        await _is_read(shared_database_url, kind, sent)


async def _is_read(url: str, kind: Elements, pieces: list[list[Any]]) -> None:
    all_values = [value for piece in pieces for value in piece]
    array = kind.array(len(all_values), [kind.piece(piece) for piece in pieces])
    async with await psycopg.AsyncConnection.connect(driver_url(url), autocommit=True) as connection:
        take_arrays(connection)
        query = f"SELECT value FROM unnest(%b::{kind.type_name}[]) WITH ORDINALITY AS read (value, at) ORDER BY at"
        rows = await connection.execute(query, [array], prepare=True, binary=True)
        assert [row[0] for row in await rows.fetchall()] == all_values

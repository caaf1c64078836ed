"""Prepared statements over a connection of their own, spoken to libpq itself.

For a path that sends the same few statements hundreds of times a second: what a driver does around each of them takes
longer than the server takes for all. What is sent together is one transaction, and the next one may be sent while the
server is at it (PostgreSQL, 32.5: pipeline mode).
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

Step = tuple[bytes, Sequence[bytes]]
"""The name of a statement, and its arguments as text."""


class Line:
    """One connection. Whoever has opened it closes it, and may use it while nothing is under way here."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[asyncio.Future[PGresult | None]] = deque()
        """Of each transaction that was sent, in their order; its result is the first thing that failed."""
        self._failed: PGresult | None = None
        self._socket = self._pg.socket

    async def prepare(self, statements: Mapping[bytes, bytes]) -> None:
        """Once for a connection: SQL by name, with `$1` for arguments. Raises what the driver raises."""
        try:
            self._begin()
            for name, query in statements.items():
                self._pg.send_prepare(name, query)
            ended = self._end()
        except psycopg.Error as error:
            self._break(error)
            raise
        await self._wait(ended)

    async def run(self, steps: Sequence[Step]) -> None:
        """One transaction, after those that were sent before; what its statements return is not looked at.

        Raises what the driver raises: of those that are under way when the connection breaks, each.
        """
        try:
            self._begin()
            for name, arguments in steps:
                self._pg.send_query_prepared(name, arguments)
            ended = self._end()
        except psycopg.Error as error:  # what was sent before has no end to wait for either
            self._break(error)
            raise
        await self._wait(ended)

    def _begin(self) -> None:
        if not self._under_way:
            self._pg.enter_pipeline_mode()

    def _end(self) -> "asyncio.Future[PGresult | None]":
        self._pg.pipeline_sync()
        ended: asyncio.Future[PGresult | None] = self._loop.create_future()
        if not self._under_way:
            self._loop.add_reader(self._socket, self._read)
        self._under_way.append(ended)
        self._write()
        return ended

    async def _wait(self, ended: "asyncio.Future[PGresult | None]") -> None:
        # What was sent cannot be taken back; who is cancelled leaves the answer to be read all the same.
        failed = await asyncio.shield(ended)
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)

    def _write(self) -> None:
        try:
            if self._pg.flush():
                self._loop.add_writer(self._socket, self._write)
            else:
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._break(error)

    def _read(self) -> None:
        """Takes what has come, up to the synchronizations that end transactions."""
        try:
            self._pg.consume_input()
            while self._under_way and not self._pg.is_busy():
                result = self._pg.get_result()
                if result is None:  # the results of a statement are over
                    if self._pg.status != ConnStatus.OK:
                        raise psycopg.OperationalError("the connection is lost")
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    self._settle()
                elif result.status not in _DONE and self._failed is None:
                    self._failed = result
        except psycopg.Error as error:
            self._break(error)

    def _settle(self) -> None:
        failed, self._failed = self._failed, None
        self._under_way.popleft().set_result(failed)
        if not self._under_way:
            self._rest()
            self._pg.exit_pipeline_mode()

    def _break(self, error: psycopg.Error) -> None:
        """The connection is of no use any more."""
        self._rest()
        self._pg.finish()
        while self._under_way:
            ended = self._under_way.popleft()
            ended.set_exception(error)
            ended.exception()  # whoever waited for it may have been cancelled

    def _rest(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)

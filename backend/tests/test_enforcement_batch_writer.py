"""The end of a transaction whose answer was not heard."""

from backend.db.session import Database
from backend.usage.batch import BatchConnection


async def test_a_transaction_that_a_crash_took_with_it_was_not_committed(database: Database) -> None:
    """After a crash the server gives out again numbers of which nothing was written; until then they are unknown."""
    connection = await BatchConnection.open(database.url)
    try:
        locked = await connection.lock({}, [])
        assert await connection.status(locked.transaction) == "in progress"
        of_the_future = str(int(locked.transaction) + 1_000_000)
        await connection.undo()
        assert await connection.status(locked.transaction) == "aborted"
        assert await connection.status(of_the_future) == "aborted"
    finally:
        await connection.close()

"""The seals over the audit log: what was changed, removed, cut off or made anew is found, whoever did it."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from backend.admin.sealing import Head, Verdict, forget, seal, verify
from backend.db.audit import COMMAND, REDACTED, SYSTEM, Target, record, redacted
from backend.db.session import Database
from backend.security.encryption import Encryption, KeyRing, new_ring
from backend.tests.moments import NOW

ENCRYPTION = Encryption(KeyRing.parse(new_ring(), None))
MINUTE = timedelta(minutes=1)


async def acted(database: Database, *reasons: str) -> None:
    async with database.system() as session:
        for reason in reasons:
            record(
                session, COMMAND, "test.act", Target("test", "one"), now=NOW, reason=reason, after={"b": 1, "a": "ü"}
            )


async def sealed(database: Database, batches: int = 3, each: int = 2) -> None:
    for batch in range(batches):
        await acted(database, *(f"{batch} {number}" for number in range(each)))
        assert await seal(database, ENCRYPTION, now=NOW) == each


async def verdict(database: Database, noted: Head | None = None, encryption: Encryption = ENCRYPTION) -> Verdict:
    async with database.read() as session:
        return await verify(session, encryption, now=NOW, noted=noted)


async def as_owner(database: Database, *statements: str) -> None:
    """What somebody can do who owns the database: the triggers and rights of the application do not bind them."""
    async with database.engine.begin() as connection:
        await connection.execute(text("SELECT set_config('feature.scope', 'system', true)"))
        await connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER USER"))
        for statement in statements:
            await connection.execute(text(statement))
        await connection.execute(text("ALTER TABLE audit_events ENABLE TRIGGER USER"))


async def test_an_untouched_log_is_whole(database: Database) -> None:
    assert (await verdict(database)).head is None
    await sealed(database)
    await acted(database, "not sealed yet")
    found = await verdict(database)
    assert (found.seals, found.events, found.unsealed, found.faults) == (3, 6, 1, [])
    assert found.head is not None
    assert found.head.number == 3
    assert Head.parse(str(found.head)) == found.head
    assert await seal(database, ENCRYPTION, now=NOW) == 1
    assert await seal(database, ENCRYPTION, now=NOW) == 0
    assert (await verdict(database, noted=found.head)).faults == []


_SECOND = "(SELECT id FROM audit_events WHERE seal = 2 ORDER BY place LIMIT 1)"
TAMPERINGS: Sequence[tuple[str, ...]] = (
    (f"UPDATE audit_events SET reason = 'another' WHERE id = {_SECOND}",),
    (f'UPDATE audit_events SET after = \'{{"a": "u", "b": 1}}\' WHERE id = {_SECOND}',),
    (f"UPDATE audit_events SET at = at + interval '1 microsecond' WHERE id = {_SECOND}",),
    (f"UPDATE audit_events SET actor_kind = 'system' WHERE id = {_SECOND}",),
    (f"DELETE FROM audit_events WHERE id = {_SECOND}",),
    (f"UPDATE audit_events SET seal = NULL, place = NULL WHERE id = {_SECOND}",),
    (
        "UPDATE audit_events SET place = place + 10 WHERE seal = 2",
        "UPDATE audit_events SET place = 31 - place WHERE seal = 2",
    ),
    ("DELETE FROM audit_events WHERE seal = 2", "DELETE FROM audit_seals WHERE number = 2"),
    ("DELETE FROM audit_events WHERE seal = 1", "DELETE FROM audit_seals WHERE number = 1"),
    (
        "UPDATE audit_seals SET forgotten_at = now(), forgotten_mac = mac WHERE number = 2",
        "DELETE FROM audit_events WHERE seal = 2",
    ),
    ("UPDATE audit_seals SET last_at = last_at - interval '9 years' WHERE number = 2",),
    # Made to fit, as far as one can without the key.
    (
        f"UPDATE audit_events SET reason = 'another' WHERE id = {_SECOND}",
        "UPDATE audit_seals SET digest = sha256('another'), mac = sha256('another') WHERE number = 2",
    ),
)


@pytest.mark.parametrize("statements", TAMPERINGS)
async def test_what_was_tampered_with_is_found(database: Database, statements: tuple[str, ...]) -> None:
    await sealed(database)
    assert (await verdict(database)).faults == []
    await as_owner(database, *statements)
    assert (await verdict(database)).faults != []


async def test_a_log_that_was_cut_off_is_found_by_a_noted_seal(database: Database) -> None:
    await sealed(database)
    noted = (await verdict(database)).head
    await as_owner(database, "DELETE FROM audit_events WHERE seal = 3", "DELETE FROM audit_seals WHERE number = 3")
    assert (await verdict(database)).faults == []
    assert len((await verdict(database, noted=noted)).faults) == 1


async def test_another_installations_key_does_not_fit_and_a_missing_one_is_named(database: Database) -> None:
    await sealed(database)
    found = await verdict(database, encryption=Encryption(KeyRing.parse(new_ring(), None)))
    assert len(found.faults) == 3
    assert "ENCRYPTION_KEYS" in found.faults[0]
    name = ENCRYPTION.ring.active
    other = Encryption(KeyRing({name: bytes(32)}, name))
    assert "not made by this installation's key" in (await verdict(database, encryption=other)).faults[0]


async def test_seals_outlive_what_they_are_over(database: Database) -> None:
    await sealed(database)
    noted = (await verdict(database)).head
    assert await forget(database, ENCRYPTION, before=NOW, now=NOW) == 0
    assert await forget(database, ENCRYPTION, before=NOW + MINUTE, now=NOW + MINUTE) == 6
    assert await seal(database, ENCRYPTION, now=NOW) == 1  # that they were let go of
    found = await verdict(database, noted=noted)
    assert (found.seals, found.events, found.forgotten, found.faults) == (4, 1, 6, [])


async def test_what_is_let_go_of_without_the_key_is_found(database: Database) -> None:
    """By the application's own role, whose trigger lets it pass."""
    await sealed(database)
    async with database.system() as session:
        await session.execute(text("UPDATE audit_seals SET forgotten_at = now(), forgotten_mac = mac WHERE number = 2"))
        await session.execute(text("DELETE FROM audit_events WHERE seal = 2"))
    assert (await verdict(database)).faults == [
        "seal 2: its events are gone, and not by the rule of how long they are kept"
    ]


async def test_what_waits_for_long_is_told(database: Database) -> None:
    await acted(database, "one")
    async with database.read() as session:
        late = await verify(session, ENCRYPTION, now=NOW + 2 * MINUTE)
    assert len(late.faults) == 1
    assert late.unsealed == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET reason = 'another'",
        "UPDATE audit_events SET seal = NULL, place = NULL",
        "UPDATE audit_events SET place = place + 1",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_seals SET mac = digest",
        "DELETE FROM audit_seals",
    ],
)
async def test_the_application_itself_can_only_append(database: Database, statement: str) -> None:
    await sealed(database, batches=1)
    with pytest.raises(DBAPIError):
        async with database.system() as session:
            await session.execute(text(statement))
    assert (await verdict(database)).faults == []


async def test_an_account_sees_nothing_of_it(database: Database) -> None:
    await sealed(database, batches=1)
    async with database.system() as session:
        account_id = await session.scalar(text("SELECT gen_random_uuid()"))
    assert account_id is not None
    async with database.read(account_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM audit_events")) == 0
        assert await session.scalar(text("SELECT count(*) FROM audit_seals")) == 0


async def test_an_act_that_is_undone_leaves_no_line(database: Database) -> None:
    async def undone() -> None:
        async with database.system() as session:
            record(session, SYSTEM, "test.act", None, now=NOW)
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert (await verdict(database)).unsealed == 0


def test_secrets_are_left_out_at_any_depth() -> None:
    said = redacted(
        {
            "password": "x",
            "api_key": "x",
            "key_id": 1,
            "list": [{"token_hash": "x"}],
            "mfa_secret": None,
            "has_password": True,
        }
    )
    assert said == {
        "password": REDACTED,
        "api_key": REDACTED,
        "key_id": 1,
        "list": [{"token_hash": REDACTED}],
        "mfa_secret": None,
        "has_password": True,
    }
    assert redacted(None) is None


@pytest.mark.parametrize("text", ["", "1", "1:zz", "x:" + "0" * 64, "1:" + "0" * 63])
def test_what_is_no_seal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no seal"):
        Head.parse(text)

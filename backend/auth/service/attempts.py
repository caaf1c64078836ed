"""Limits on sign-in and its relatives, in PostgreSQL and by its clock: a slot is taken before anything costly.

The slot is committed before a password is looked at, so parallel guesses cannot all pass one check, and it survives
a restart. Success gives the account's slots back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from backend.auth.errors import TooManyAttempts
from backend.core.ids import uuid7
from backend.core.settings import Network
from backend.db.session import SystemSession
from backend.ratelimit.model import Address, address_subject


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `attempts` by one subject in `seconds`. After as many in `remembered` seconds, each one waits longer
    than the last. Many share a network: what is remembered of one is short."""

    subject: str
    attempts: int
    seconds: int
    remembered: int = 0


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 7))")
_COUNT = text("""
    SELECT count(*) FILTER (WHERE attempted_at > clock_timestamp() - make_interval(secs => :seconds)) AS recent,
        count(*) AS remembered,
        ceil(extract(epoch FROM max(attempted_at) - clock_timestamp()))::int AS last_in,
        ceil(extract(epoch FROM (
            SELECT attempted_at FROM sign_in_attempts
            WHERE subject = :subject ORDER BY attempted_at DESC OFFSET :attempts - 1 LIMIT 1
        ) + make_interval(secs => :seconds) - clock_timestamp()))::int AS free_in
    FROM sign_in_attempts
    WHERE subject = :subject AND attempted_at > clock_timestamp() - make_interval(secs => :remembered)
""")
_TAKE = text("""
    INSERT INTO sign_in_attempts (id, subject, attempted_at) VALUES (:id, :subject, clock_timestamp())
""")
_CLEAR = text("DELETE FROM sign_in_attempts WHERE subject = :subject")
_GIVE_BACK = text("""
    DELETE FROM sign_in_attempts
    WHERE id = (SELECT id FROM sign_in_attempts WHERE subject = :subject ORDER BY attempted_at DESC LIMIT 1)
""")

_LONGEST_DELAY = 900


async def take(session: SystemSession, limits: Sequence[Limit]) -> None:
    """Takes one slot of every limit, or none. Raises TooManyAttempts with the seconds to wait.

    The caller's transaction must be committed before the costly part begins.
    """
    ordered = sorted(limits, key=lambda limit: limit.subject)
    for limit in ordered:
        await session.execute(_LOCK, {"subject": limit.subject})
        wait = await _wait(session, limit)
        if wait > 0:
            raise TooManyAttempts(
                f"Too many attempts. Try again in {wait} s.",
                headers={"Retry-After": str(wait)},
                retry_after=wait,
                retryable=True,
            )
    for limit in ordered:
        await session.execute(_TAKE, {"id": uuid7(), "subject": limit.subject})


async def clear(session: SystemSession, subject: str) -> None:
    """Gives all slots of a subject back."""
    await session.execute(_CLEAR, {"subject": subject})


async def give_back(session: SystemSession, subject: str) -> None:
    """Gives the newest slot of a subject back: the attempt was none."""
    await session.execute(_GIVE_BACK, {"subject": subject})


async def _wait(session: SystemSession, limit: Limit) -> int:
    found = await session.execute(
        _COUNT,
        {
            "subject": limit.subject,
            "seconds": limit.seconds,
            "attempts": limit.attempts,
            "remembered": max(limit.seconds, limit.remembered),
        },
    )
    row = found.one()
    if row.recent >= limit.attempts:
        return max(1, int(row.free_in))
    beyond = int(row.remembered) - limit.attempts
    if beyond < 0:
        return 0
    delay: int = min(_LONGEST_DELAY, 2 ** min(beyond, 20))
    return max(0, int(row.last_in) + delay)


def account_subject(purpose: str, email: str) -> str:
    """The subject of limits that count by the address of a user."""
    return f"{purpose}:account:{email}"


def account_subjects(email: str) -> list[str]:
    """All of them: sign-in, sign-up, repeated links and forgotten passwords."""
    return [account_subject(purpose, email) for purpose in ("login", "signup", "resend", "forgot")]


def network_subject(purpose: str, address: Address) -> str:
    """The subject of limits that count by where a request comes from."""
    return f"{purpose}:network:{address_subject(address)}"


def of_network(
    purpose: str, address: Address, attempts: int, seconds: int, *, allowed: Sequence[Network], remembered: int = 0
) -> list[Limit]:
    """The limit by address, unless the allow list lifts it."""
    if any(address in network for network in allowed):
        return []
    return [Limit(network_subject(purpose, address), attempts, seconds, remembered)]

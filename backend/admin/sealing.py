"""Seals over the audit log: numbered, each over the one before, under a key that the database does not hold.

Whoever can write to the database can change an event, but cannot make the seal that would fit it. What was written in
the last second or two is not sealed yet. A log whose end was cut off, seals and all, is found by comparing with a
seal that was noted elsewhere: its number and mac.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, text

from backend.db.audit import SYSTEM, Target, record
from backend.db.models import AuditEvent, AuditSeal
from backend.db.session import Database, ReadSession, SystemSession
from backend.security.encryption import Encryption
from backend.security.errors import SecretUnreadable

MOST = 500
UNSEALED_FOR = timedelta(minutes=1)
_ABOUT, _FORGETTING = "audit seals", "forgotten audit seals"
_NOTHING = bytes(32)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('audit seals', 0))")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal: note it elsewhere, and nobody can cut the log off before it unseen."""

    number: int
    mac: str

    def __str__(self) -> str:
        return f"{self.number}:{self.mac}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Reads `12:9f86…`. Raises ValueError."""
        number, _, mac = text.partition(":")
        if not number.isdecimal() or not re.fullmatch(r"[0-9a-fA-F]{64}", mac):
            raise ValueError(f"{text[:80]!r} is no seal: it is a number, a colon and 64 hexadecimal digits")
        return cls(int(number), mac.lower())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: `faults` is empty when nothing was changed, removed or added within what is sealed."""

    head: Head | None
    seals: int
    events: int
    forgotten: int
    unsealed: int
    faults: Sequence[str]


async def seal(database: Database, encryption: Encryption, *, now: datetime, most: int = MOST) -> int:
    """Seals what was written since the last time, up to `most` events. Returns how many."""
    async with database.system() as session:
        if not await session.scalar(select(AuditEvent.id).where(AuditEvent.seal.is_(None)).limit(1)):
            return 0
        await session.execute(_LOCK)
        waiting = select(AuditEvent).where(AuditEvent.seal.is_(None)).order_by(AuditEvent.id).limit(most)
        events = (await session.scalars(waiting)).all()
        if not events:
            return 0
        last = await session.scalar(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1))
        number, before = (last.number + 1, last.mac) if last else (1, _NOTHING)
        link = AuditSeal(
            number=number,
            sealed_at=now,
            events=len(events),
            last_at=max(event.at for event in events),
            digest=_digest(events),
        )
        link.key_name, link.mac = encryption.mac(_linked(link, before), about=_ABOUT)
        session.add(link)
        await session.flush()
        for place, event in enumerate(events):
            event.seal, event.place = number, place
        return len(events)


async def verify(session: ReadSession, encryption: Encryption, *, now: datetime, noted: Head | None = None) -> Verdict:
    """Follows the chain from its beginning. `noted` is a seal that must be in it."""
    faults: list[str] = []
    before, number, events, forgotten, missing = _NOTHING, 0, 0, 0, noted
    stream = await session.stream_scalars(select(AuditSeal).order_by(AuditSeal.number).execution_options(yield_per=100))
    async for link in stream:
        number += 1
        if link.number != number:
            faults.append(f"seals {number} to {link.number - 1} are missing")
            number, before = link.number, b""
        faults += [f"seal {number}: {fault}" for fault in _faults_of(link, before, encryption)]
        found = await _events_of(session, number)
        if len(found) != link.events:
            await session.refresh(link)  # they may have been let go of meanwhile
        if link.forgotten_at is None:
            if len(found) != link.events:
                faults.append(f"seal {number}: it is over {link.events} events, {len(found)} are there")
            elif _digest(found) != link.digest:
                faults.append(f"seal {number}: an event was changed; {_where(found)}")
            events += len(found)
        else:
            faults += [f"seal {number}: {fault}" for fault in _faults_of_forgetting(link, encryption)]
            forgotten += link.events
        before = link.mac
        if missing is not None and missing == Head(link.number, link.mac.hex()):
            missing = None
    if missing is not None:
        faults.append(f"the noted seal {missing.number} is not in the chain: the log was cut off, or made anew")
    oldest = await session.scalar(select(func.min(AuditEvent.at)).where(AuditEvent.seal.is_(None)))
    unsealed = await session.scalar(select(func.count()).where(AuditEvent.seal.is_(None))) or 0
    if oldest is not None and now - oldest > UNSEALED_FOR:
        faults.append(
            f"{unsealed} events are not sealed, the oldest since {oldest.isoformat()}: is the worker running?"
        )
    head = Head(number, before.hex()) if number else None
    return Verdict(head, number, events, forgotten, unsealed, faults)


async def forget(database: Database, encryption: Encryption, *, before: datetime, now: datetime) -> int:
    """Lets go of sealed events that are all older than `before`; their seals stay. Returns how many events went.

    Raises SecretUnreadable where the key of a seal is gone: its events stay.
    """
    async with database.system() as session:
        await session.execute(_LOCK)
        old = select(AuditSeal).where(AuditSeal.last_at < before, AuditSeal.forgotten_at.is_(None))
        links = (await session.scalars(old.order_by(AuditSeal.number).limit(MOST))).all()
        if not links:
            return 0
        for link in links:
            link.forgotten_at = now
            _, link.forgotten_mac = encryption.mac(_let_go(link, now), about=_FORGETTING, key_name=link.key_name)
        await session.flush()
        numbers = [link.number for link in links]
        gone = await session.scalars(delete(AuditEvent).where(AuditEvent.seal.in_(numbers)).returning(AuditEvent.id))
        count = len(gone.all())
        _note_forgotten(session, numbers, count, now)
        return count


def _note_forgotten(session: SystemSession, numbers: Sequence[int], count: int, now: datetime) -> None:
    seals = Target("audit_seals", f"{numbers[0]}-{numbers[-1]}")
    record(
        session, SYSTEM, "audit.forget", seals, now=now, reason="they were kept long enough", after={"events": count}
    )


def _faults_of(link: AuditSeal, before: bytes, encryption: Encryption) -> list[str]:
    if not before:  # the link before is missing, and said to be
        return []
    try:
        _, mac = encryption.mac(_linked(link, before), about=_ABOUT, key_name=link.key_name)
    except SecretUnreadable as error:
        return [f"it cannot be looked at: {error}"]
    return [] if mac == link.mac else ["it was not made by this installation's key over the seal before"]


def _faults_of_forgetting(link: AuditSeal, encryption: Encryption) -> list[str]:
    assert link.forgotten_at is not None
    try:
        _, mac = encryption.mac(_let_go(link, link.forgotten_at), about=_FORGETTING, key_name=link.key_name)
    except SecretUnreadable:
        return []  # said of the seal itself
    return [] if mac == link.forgotten_mac else ["its events are gone, and not by the rule of how long they are kept"]


async def _events_of(session: ReadSession, number: int) -> Sequence[AuditEvent]:
    found = select(AuditEvent).where(AuditEvent.seal == number).order_by(AuditEvent.place)
    return (await session.scalars(found)).all()


def _where(events: Sequence[AuditEvent]) -> str:
    return f"its events are {events[0].id} to {events[-1].id}"


def _linked(link: AuditSeal, before: bytes) -> bytes:
    counted = link.number.to_bytes(8, "big") + link.events.to_bytes(8, "big")
    return counted + before + link.digest + _moment(link.last_at)


def _let_go(link: AuditSeal, at: datetime) -> bytes:
    return link.number.to_bytes(8, "big") + link.digest + _moment(at)


def _moment(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat(timespec="microseconds").encode()


def _digest(events: Sequence[AuditEvent]) -> bytes:
    """SHA-256 over the events as text, each with its length before it."""
    whole = hashlib.sha256()
    for event in events:
        text = _canonical(event)
        whole.update(len(text).to_bytes(8, "big") + text)
    return whole.digest()


def _canonical(event: AuditEvent) -> bytes:
    """What an event says, the same for equal content whatever the order of fields that PostgreSQL keeps."""
    fields = (
        event.id.hex,
        _moment(event.at).decode(),
        event.action,
        event.actor_kind,
        event.actor_id.hex if event.actor_id else None,
        event.real_actor_id.hex if event.real_actor_id else None,
        event.target_kind,
        event.target_id,
        event.reason,
        event.before,
        event.after,
        event.address,
        event.request_id,
    )
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

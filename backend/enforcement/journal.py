"""The journal of one process: every spend from memory is a record here before it is answered for.

A file of one header page and a ring of records of fixed size, preallocated as a whole and mapped into memory: what
is written is the kernel's, so it outlives the process. A record is valid when its checksum is right and its number is
the one that must stand in its place; a torn or an old one is neither. The file is locked for as long as its process
lives, so whoever gets the lock knows that the owner is gone, and reads the records that are not settled yet.
"""

import contextlib
import fcntl
import json
import mmap
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from backend.core.clock import SystemClock
from backend.core.ids import AccountId, uuid7

FORMAT = 1
HEADER_BYTES = 4_096
RECORD_BYTES = 128
# Settled every second or when a quarter is written, this is over 200,000 spends a second.
RECORDS = 65_536

_NAME_BYTES = 64
_PREFIX = struct.Struct("<16s16sqq64s")
# amount, number of the record (its low 32 bits), minute of the spend since 1970
_TAIL = struct.Struct("<iII")
_CHECK = struct.Struct("<I")
_BODY_BYTES = _PREFIX.size + _TAIL.size
_WHOLE = struct.Struct(f"<{_PREFIX.size}s{_TAIL.size}sI")
_NOBODY = UUID(int=0)
_EPOCH_MICROSECONDS = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SUFFIX, _DRAFT_SUFFIX = ".journal", ".draft"
# Seconds after which nobody is still making one.
_STALE = 3_600.0

assert _WHOLE.size == RECORD_BYTES
_pack_tail, _write, _checksum = _TAIL.pack, _WHOLE.pack_into, zlib.crc32


class JournalFull(Exception):
    """As many records wait for their settlement as the file holds: spend where the database sees it."""


@dataclass(frozen=True, slots=True)
class Place:
    """What spends are added up by: one counter, the period whose record it enters, and the key that spent."""

    account_id: AccountId
    meter: str
    window_start: datetime
    period_start: datetime
    key_id: UUID | None


@dataclass(frozen=True, slots=True)
class Record:
    """One spend; a negative amount takes one back."""

    place: Place
    amount: int
    minute: int


class Stamp:
    """The part of a record that is the same for all spends of a place, with its checksum so far."""

    __slots__ = ("check", "prefix")

    def __init__(self, place: Place) -> None:
        name = place.meter.encode()
        assert len(name) < _NAME_BYTES
        self.prefix = _PREFIX.pack(
            place.account_id.bytes,
            (place.key_id or _NOBODY).bytes,
            _microseconds(place.window_start),
            _microseconds(place.period_start),
            name,
        )
        self.check = zlib.crc32(self.prefix)


class Journal:
    """A journal that is written. `position` counts the records written; `settled` those that need no replay."""

    def __init__(self, journal_id: UUID, file: int, memory: mmap.mmap, path: Path, records: int) -> None:
        self.id = journal_id
        self.path = path
        self.position = 0
        self.settled = 0
        self.is_begun = False
        """The database knows of it."""
        self._file = file
        self._memory = memory
        self._records = records

    @classmethod
    def create(cls, folder: Path, *, records: int = RECORDS) -> "Journal":
        """A new file in a folder, with all its blocks on the disk. Raises OSError where that cannot be."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_drafts(folder)
        journal_id = uuid7()
        path = folder / f"{journal_id}{_SUFFIX}"
        # Under another name until it is locked and complete: whoever looks for journals sees no half of one.
        draft = path.with_suffix(_DRAFT_SUFFIX)
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = HEADER_BYTES + records * RECORD_BYTES
            os.posix_fallocate(file, 0, size)  # a map of a sparse file dies by a signal when the disk is full
            os.pwrite(file, _header(journal_id, records), 0)
            memory = mmap.mmap(file, size)
            draft.rename(path)
        except BaseException:
            os.close(file)
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        return cls(journal_id, file, memory, path, records)

    def append(self, stamp: Stamp, amount: int, minute: int) -> None:
        """Records a spend; it outlives this process from here on. Raises JournalFull."""
        position = self.position
        if position - self.settled >= self._records:
            raise JournalFull
        tail = _pack_tail(amount, position & 0xFFFFFFFF, minute)
        at = HEADER_BYTES + position % self._records * RECORD_BYTES
        _write(self._memory, at, stamp.prefix, tail, _checksum(tail, stamp.check))
        self.position = position + 1

    @property
    def is_filling(self) -> bool:
        """Whether it is time to settle, lest there is no room."""
        return (self.position - self.settled) * 4 > self._records

    def close(self, *, remove: bool) -> None:
        """Ends it. `remove`: all of it is settled."""
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._memory.close()
        os.close(self._file)


class LeftJournal:
    """A journal whose process is gone, locked by whoever takes it over."""

    def __init__(self, file: int, path: Path, journal_id: UUID, boot_id: str, records: int) -> None:
        self.id = journal_id
        self.path = path
        self.is_of_this_boot = boot_id == boot()
        self.changed_at = os.fstat(file).st_mtime
        """Seconds since 1970, by the clock of its machine."""
        self._file = file
        self._records = records

    def replay(self, position: int) -> list[Record]:
        """The valid records from a position on, in order, up to the first that is torn or was never written."""
        found = []
        for number in range(position, position + self._records):
            at = HEADER_BYTES + number % self._records * RECORD_BYTES
            record = _parse(os.pread(self._file, RECORD_BYTES, at), number)
            if record is None:
                break
            found.append(record)
        return found

    def close(self, *, remove: bool) -> None:
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._file)


def left_journals(folder: Path) -> Iterator[LeftJournal]:
    """Those in a folder whose processes are gone; each is locked until it is closed."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        found = _take_over(path)
        if found is not None:
            yield found


def boot() -> str:
    """What tells this run of this machine from every other."""
    return _BOOT_ID.read_text().strip()


def boot_nanoseconds() -> int:
    """The clock of leases: it does not stop while the machine sleeps, and nobody sets it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _remove_drafts(folder: Path) -> None:
    """What processes left that were killed while they made a journal."""
    now = SystemClock().now().timestamp()
    for path in folder.glob(f"*{_DRAFT_SUFFIX}"):
        with contextlib.suppress(OSError):  # another removes it, too
            if now - path.stat().st_mtime > _STALE:
                path.unlink()


def _take_over(path: Path) -> LeftJournal | None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # another has just removed it
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Locked after its last owner had removed it: the name is gone or is another file's.
        if not path.exists() or os.fstat(file).st_ino != path.stat().st_ino:
            raise FileNotFoundError(path)
        header = json.loads(os.pread(file, HEADER_BYTES, 0).rstrip(b"\0"))
        if header["format"] == FORMAT:
            return LeftJournal(file, path, UUID(header["id"]), header["boot_id"], header["records"])
    except (OSError, ValueError, KeyError):
        pass
    os.close(file)
    return None


def _header(journal_id: UUID, records: int) -> bytes:
    text = json.dumps({"format": FORMAT, "id": str(journal_id), "boot_id": boot(), "records": records})
    return text.encode().ljust(HEADER_BYTES, b"\0")


def _parse(data: bytes, number: int) -> Record | None:
    if len(data) < RECORD_BYTES or _CHECK.unpack_from(data, _BODY_BYTES)[0] != zlib.crc32(data[:_BODY_BYTES]):
        return None
    account, key, window_start, period_start, name = _PREFIX.unpack_from(data)
    amount, low_number, minute = _TAIL.unpack_from(data, _PREFIX.size)
    if low_number != number & 0xFFFFFFFF:
        return None
    key_id = UUID(bytes=key)
    place = Place(
        account_id=AccountId(UUID(bytes=account)),
        meter=name.rstrip(b"\0").decode(),
        window_start=_moment(window_start),
        period_start=_moment(period_start),
        key_id=None if key_id == _NOBODY else key_id,
    )
    return Record(place, amount, minute)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(moment: datetime) -> int:
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * _EPOCH_MICROSECONDS + span.microseconds


def _moment(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, _EPOCH_MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)

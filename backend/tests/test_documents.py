"""The documents say what is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.core.settings import REPOSITORY

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_MAKE = re.compile(r"`make ([a-z0-9-]+)")
_PYTEST = re.compile(r"pytest ((?:backend/[^\s`;]+ ?)+)")

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    for link in _LINK.findall(text):
        assert link.startswith(("http://", "https://")) or (document.parent / link).exists(), link
    # What the README says is not there yet may be named, too.
    absent = {"bench"}
    assert set(_MAKE.findall(text)) - absent <= _targets()
    for paths in _PYTEST.findall(text):
        for path in paths.split():
            if path.startswith("backend/"):
                assert (REPOSITORY / path).exists(), path


def test_the_generated_references_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/references.py", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

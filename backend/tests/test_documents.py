"""The documents say what is so."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import backend.app  # noqa: F401 - loads every class of errors
from backend.cli.main import commands
from backend.core.errors import PlatformError
from backend.core.settings import REPOSITORY, Settings

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
_FEATURE = re.compile(r"(?:^|[\s/`])feature ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE)
_PATH = re.compile(r"\b((?:backend|frontend|docs|scripts|alembic|sdk)/[\w./-]*\w)")
_MACHINE = re.compile(r"(?<![\w.:/])/(?:work|root|home|tmp|Users)/")
_SETTING = re.compile(r"^\| `([A-Z0-9_]+)` \| (.*?) ?\| ?(.*?) ?\|$", re.MULTILINE)

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
# What the README says is not there yet may be named.
ABSENT = {"bench"}
BUILT = {"frontend/dist"}

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())


def code(text: str) -> str:
    """What is meant to be typed or opened: code in the text, and the lines of code blocks."""
    return "\n".join([*_FENCE.findall(text), *_CODE.findall(_FENCE.sub("", text))])


def anchors(document: Path) -> set[str]:
    """The fragments that headings can be reached by."""
    plain = (heading.replace("`", "").strip().lower() for heading in _HEADING.findall(document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def command_names(group: Any) -> dict[str, set[str]]:
    """The words after `feature`, and the words after those."""
    return {name: set(getattr(command, "commands", ())) for name, command in group.commands.items()}


@documents
def test_links_lead_somewhere(document: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", document.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        name, _, fragment = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@documents
def test_targets_of_make_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(_MAKE.findall(code(document.read_text()))) - ABSENT <= targets


@documents
def test_commands_exist(document: Path) -> None:
    known = command_names(typer.main.get_command(commands()))
    for name, second in _FEATURE.findall(code(document.read_text())):
        assert name in known, name
        if known[name]:
            assert not second or second in known[name], f"{name} {second}"


@documents
def test_files_that_are_named_exist_and_none_of_a_machine(document: Path) -> None:
    text = document.read_text()
    for path in set(_PATH.findall(code(text))) - BUILT:
        assert (REPOSITORY / path).exists(), path
    assert not _MACHINE.search(text)


def test_the_generated_references_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/references.py", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_is_described_with_its_default() -> None:
    described = {
        name: default for name, default, _ in _SETTING.findall((REPOSITORY / "docs" / "operations.md").read_text())
    }
    assert list(described) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        expected = "" if field.default in (None, ()) else str(field.default)
        if isinstance(field.default, Path):
            expected = f"`{field.default.relative_to(REPOSITORY)}` in the checkout"
        assert described[name.upper()] == expected, name


def test_every_error_code_is_described() -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text()
    listed = set(re.findall(r"^\| `([a-z_0-9]+)` \| \d+ \| \S", text, re.MULTILINE))
    waiting = PlatformError.__subclasses__()
    found = set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not kind.__module__.startswith("backend.tests"):
            found.add(kind.code)
    assert listed == found | {"method_not_allowed"}


def test_the_roadmap_has_five_phases_and_the_progress_says_how_each_is_verified() -> None:
    for name in ("FEATURE_ROADMAP.md", "IMPLEMENTATION_PROGRESS.md"):
        text = (REPOSITORY / name).read_text()
        for number in range(1, 6):
            assert re.search(rf"^\| {number} ", text, re.MULTILINE), (name, number)
    progress = (REPOSITORY / "IMPLEMENTATION_PROGRESS.md").read_text()
    for heading in ("Next steps", "Rollback"):
        assert f"## {heading}" in progress


def test_the_readme_has_its_picture() -> None:
    assert "](docs/images/overview.png)" in (REPOSITORY / "README.md").read_text()

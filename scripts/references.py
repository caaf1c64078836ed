"""Writes the references in the documents from the code: `python scripts/references.py [--check]`.

Between `<!-- generated: NAME -->` and `<!-- end -->` stands what is generated; the rest is written by hand.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.types import TypeEngine

from backend.app import create_app
from backend.core.settings import REPOSITORY, Settings
from backend.db.base import Base
from backend.system.meanings import meanings

# Each document with the sections that it must have.
DOCUMENTS = {"DEVELOPER_DOCUMENTATION.md": ["routes", "schema"], "docs/api.md": ["routes", "errors"]}
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_METHODS = ("get", "post", "put", "patch", "delete")


def openapi() -> dict[str, Any]:
    """What the application says of itself. Building it connects to nothing."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            _env_file=None, feature_home=Path(home), database_url=SecretStr("postgresql://nowhere/none")
        )
        return create_app(settings).openapi()


def routes() -> str:
    """Every operation with its first sentence, and whether it needs a credential."""
    lines = ["| Route | Credential | What it does |", "|---|---|---|"]
    for path, operations in sorted(openapi()["paths"].items()):
        for method in _METHODS:
            operation = operations.get(method)
            if operation is not None:
                sentence = operation.get("description", "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
                needs = "yes" if "security" in operation else "no"
                lines.append(f"| `{method.upper()} {path}` | {needs} | {sentence} |")
    return "\n".join(lines)


def schema() -> str:
    """Every table with its meaning and its columns."""
    parts = []
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__tablename__):
        table = mapper.local_table
        assert isinstance(table, Table)
        meaning = " ".join((mapper.class_.__doc__ or "").split())
        parts.append(f"### `{table.name}`\n\n{meaning}\n")
        parts.append("| Column | Type | |\n|---|---|---|")
        for column in table.columns:
            notes = ["primary key"] if column.primary_key else [] if column.nullable else ["not null"]
            notes += [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
            parts.append(f"| `{column.name}` | {_type(column.type)} | {', '.join(notes)} |")
        parts.append("")
    return "\n".join(parts).rstrip()


def _type(kind: TypeEngine[Any]) -> str:
    return kind.compile(dialect=dialect()).lower().replace("timestamp with time zone", "timestamptz")


def errors() -> str:
    """Every error code with its usual status."""
    lines = ["| Code | Status | Meaning |", "|---|---|---|"]
    lines += [f"| `{found.code}` | {found.status} | {found.text} |" for found in meanings().values()]
    return "\n".join(lines)


_SECTIONS = {"routes": routes, "schema": schema, "errors": errors}


def rendered(text: str) -> str:
    """The document with its generated sections as they should be."""
    return _SECTION.sub(lambda found: f"{found[1]}{_SECTIONS[found[2]]()}\n{found[3]}", text)


def main(arguments: list[str]) -> int:
    """Writes the documents; with --check only says which are out of date."""
    stale = []
    for name, sections in DOCUMENTS.items():
        path = REPOSITORY / name
        before = path.read_text(encoding="utf-8")
        if [found[2] for found in _SECTION.finditer(before)] != sections:
            raise SystemExit(f"{name} must have the generated sections {', '.join(sections)}, in this order.")
        after = rendered(before)
        if before != after and "--check" in arguments:
            stale.append(name)
        elif before != after:
            path.write_text(after, encoding="utf-8")
    if stale:
        names = ", ".join(stale)
        print(f"Out of date: {names}. Run: make references", file=sys.stderr)  # noqa: T201 - a command line prints
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

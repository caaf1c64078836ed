"""What is told when everything runs."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BannerLine:
    """A label and what stands beside it: an address, a link, a command to copy."""

    label: str
    value: str


def banner(lines: Sequence[BannerLine]) -> str:
    """The lines in two columns. Values are never cut or wrapped, so that each can be copied as it stands."""
    width = max(len(line.label) for line in lines)
    body = [f"  {line.label.ljust(width)}  {line.value}" for line in lines]
    return "\n".join(["", "  Feature Platform is running. Ctrl-C stops it.", "", *body, ""])


def addresses(*, api: str, web: str) -> list[BannerLine]:
    return [BannerLine("Web app", web), BannerLine("API", api), BannerLine("API reference", f"{api}/docs")]

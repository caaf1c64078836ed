"""What customers are written about their usage. Pure."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.catalog.definitions import MeterDefinition
from backend.catalog.units import rounded_text


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a quota is used, in base units. `resets_at` is None for a level; `zone` is the account's."""

    meter: MeterDefinition
    percent: int
    used: int
    limit: int
    plan: str
    resets_at: datetime | None
    reached_at: datetime
    zone: ZoneInfo


def words(share: Share) -> tuple[str, tuple[str, ...]]:
    """The subject and the paragraphs of a mail."""
    meter = share.meter
    name = _in_sentence(meter.name)
    verb = "are" if name.endswith("s") else "is"
    used = rounded_text(share.used, meter.unit, meter.display_unit)
    limit = rounded_text(share.limit, meter.unit, meter.display_unit)
    first = f"{meter.name}: {used} of {limit} are used on the {share.plan}."
    kept = "What you have is kept, and nothing is charged for what was refused."
    if share.percent < 100:
        limits = f"At {limit}, more is refused until then." if share.resets_at else f"At {limit}, more is refused."
        return (
            f"{share.percent} % of your {name} {verb} used",
            (first, _reset(share), f"{limits} {kept}"),
        )
    since = f"More has been refused since {_moment(share.reached_at, share.zone)}."
    return (
        f"All of your {name} {verb} used",
        (first, f"{since} {kept}", f"{_reset(share)} A larger plan makes room at once."),
    )


def _reset(share: Share) -> str:
    if share.resets_at is None:
        return "This is a level: it goes down when something is deleted, and does not start again by itself."
    return f"The count starts again on {_moment(share.resets_at, share.zone)}."


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%-d %B %Y at %H:%M} ({zone.key})"


def _in_sentence(name: str) -> str:
    """A name as it stands within a sentence: jobs, API calls."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]

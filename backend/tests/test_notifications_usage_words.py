"""What customers are written about their usage: amounts, times and what follows, in words."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.catalog.definitions import MeterDefinition
from backend.catalog.units import rounded_text
from backend.notifications.usage_words import Share, words
from backend.tests.moments import NOW

CALLS = MeterDefinition("api_calls", "API calls", "call", None, "counter", 0)
STORAGE = MeterDefinition("storage", "Storage", "byte", "MB", "gauge", 1)
SHARE = Share(
    meter=CALLS,
    percent=80,
    used=8_123,
    limit=10_000,
    plan="Pro Plan",
    resets_at=NOW + timedelta(hours=11),
    reached_at=NOW,
    zone=ZoneInfo("Europe/Berlin"),
)


@pytest.mark.parametrize(
    ("amount", "unit", "display_unit", "shown"),
    [
        (1_234_567, "call", None, "1,234,567"),
        (83_456_789, "byte", "MB", "83.4 MB"),
        (99_999_999, "byte", "MB", "99.9 MB"),
        (100_000_000, "byte", "MB", "100 MB"),
        (10_000_000_000, "byte", "MB", "10,000 MB"),
        (12_345, "byte", "MB", "12.3 kB"),
        (999, "byte", "MB", "999 bytes"),
        (1, "byte", "MB", "1 byte"),
        (0, "byte", "MB", "0 bytes"),
        (3_600, "second", "minute", "60 minutes"),
        (60, "second", "minute", "1 minute"),
        (90, "second", "minute", "1.5 minutes"),
        (59, "second", "minute", "59 seconds"),
        (5_400, "second", "hour", "1.5 hours"),
        (5_400, "second", None, "5,400 seconds"),
    ],
)
def test_amounts_are_shown_in_a_unit_that_people_use_and_rounded_down(
    amount: int, unit: str, display_unit: str | None, shown: str
) -> None:
    assert rounded_text(amount, unit, display_unit) == shown


def test_near_the_limit_it_says_what_will_happen_and_when_it_starts_again() -> None:
    assert words(SHARE) == (
        "80 % of your API calls are used",
        (
            "API calls: 8,123 of 10,000 are used on the Pro Plan.",
            "The count starts again on 11 March 2026 at 00:00 (Europe/Berlin).",
            "At 10,000, more is refused until then. "
            "What you have is kept, and nothing is charged for what was refused.",
        ),
    )


def test_at_the_limit_it_says_since_when_more_is_refused_and_what_helps() -> None:
    assert words(replace(SHARE, percent=100, used=10_000)) == (
        "All of your API calls are used",
        (
            "API calls: 10,000 of 10,000 are used on the Pro Plan.",
            "More has been refused since 10 March 2026 at 13:00 (Europe/Berlin). "
            "What you have is kept, and nothing is charged for what was refused.",
            "The count starts again on 11 March 2026 at 00:00 (Europe/Berlin). A larger plan makes room at once.",
        ),
    )


def test_a_level_does_not_start_again() -> None:
    near = replace(SHARE, meter=STORAGE, used=83_456_789, limit=100_000_000, resets_at=None)
    subject, paragraphs = words(near)
    assert subject == "80 % of your storage is used"
    assert paragraphs == (
        "Storage: 83.4 MB of 100 MB are used on the Pro Plan.",
        "This is a level: it goes down when something is deleted, and does not start again by itself.",
        "At 100 MB, more is refused. What you have is kept, and nothing is charged for what was refused.",
    )
    assert words(replace(near, percent=100, used=100_000_000))[0] == "All of your storage is used"

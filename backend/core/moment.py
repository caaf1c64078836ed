"""Times in bodies."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _moment(value: Any) -> Any:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("a time is text with an offset, such as 2026-11-25T12:00:00Z")
    return moment


# Text with an offset (RFC 3339); numbers are not read as seconds.
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]

"""Answers of usage over time."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from backend.usage.series import Step


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PointAnswer(_Answer):
    """What was counted from `start` to `end`, in base units; of a gauge the change, and the level at the end."""

    start: datetime
    end: datetime
    amount: int
    level: int | None


class KeyPointAnswer(_Answer):
    """What one key counted in the step that begins at `start`; null is usage without a key.

    Name and prefix are of the account's own keys, revoked ones too; null of a key of the host application.
    """

    start: datetime
    key_id: UUID | None
    key_name: str | None
    key_prefix: str | None
    amount: int


class SeriesAnswer(_Answer):
    """Usage of one meter over time."""

    meter: str
    unit: str
    step: Step
    time_zone: str
    as_of: datetime
    points: list[PointAnswer]
    keys: list[KeyPointAnswer] | None

"""What can be wrong with a request about usage."""

from backend.core.errors import PlatformError


class IdempotencyConflict(PlatformError):
    """The id was used before, for something else."""

    code = "idempotency_conflict"
    status = 409
    title = "This idempotency key was used for something else"


class ReservationSettled(PlatformError):
    """The reservation was committed or released before, with another result."""

    code = "reservation_settled"
    status = 409
    title = "This reservation is settled"


class ReservationUnknown(PlatformError):
    """No reservation of yours has this id."""

    code = "reservation_unknown"
    status = 404
    title = "No such reservation"


class TimestampTooOld(PlatformError):
    """An event is reported at most 35 days after it took place."""

    code = "timestamp_too_old"
    status = 422
    title = "This event is too old"


class TimestampTooNew(PlatformError):
    """An event takes place at most 5 minutes after it is reported."""

    code = "timestamp_too_new"
    status = 422
    title = "This event is still to come"


class EventUnknown(PlatformError):
    """No event of yours has this id, or it is over 400 days old."""

    code = "event_unknown"
    status = 404
    title = "No such event"


class AmountUnknown(PlatformError):
    """The event set a level, or was cut off at nothing: only what it changed is known. Report a new level, or retract
    it, which takes that change back."""

    code = "amount_unknown"
    status = 409
    title = "This event has no amount to correct"

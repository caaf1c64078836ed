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

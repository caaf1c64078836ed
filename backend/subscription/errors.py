"""What can be wrong with a request about plans and subscriptions."""

from backend.core.errors import PlatformError


class PlanUnknown(PlatformError):
    """No plan on sale has this name."""

    code = "plan_unknown"
    status = 422
    title = "No such plan"


class PlanNotFound(PlatformError):
    """No plan on sale lives at this address."""

    code = "plan_not_found"
    status = 404
    title = "No such plan"


class OverrideUnknown(PlatformError):
    """No override of the account has this id."""

    code = "override_unknown"
    status = 404
    title = "No such override"


class OverrideOver(PlatformError):
    """The override has ended by itself, or was taken back before; nothing was changed."""

    code = "override_over"
    status = 409
    title = "This override is over"


class OverridesFull(PlatformError):
    """The account has as many overrides that are not over as there may be."""

    code = "overrides_full"
    status = 409
    title = "Too many overrides"

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

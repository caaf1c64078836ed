"""What can be wrong with what an operator asks for."""

from backend.core.errors import PlatformError


class NoOperator(PlatformError):
    """This caller has no operator role, or none that may do this."""

    code = "permission_missing"
    status = 403
    title = "Your role may not do that"


class SecondFactorNeeded(PlatformError):
    """Operators sign in with two factors; set the second one up under Settings, Security."""

    code = "second_factor_needed"
    status = 403
    title = "Turn two-factor sign-in on first"


class TargetProtected(PlatformError):
    """Operators are changed by superadmins alone, nobody locks or deletes themselves, and one superadmin stays."""

    code = "target_protected"
    status = 403
    title = "This user is protected"


class StateConflict(PlatformError):
    """The user is not in the state that this act begins from; nothing was changed."""

    code = "state_conflict"
    status = 409
    title = "Not in this state"


class NoteUnknown(PlatformError):
    """No note about this user has this id."""

    code = "note_unknown"
    status = 404
    title = "No such note"


class BulkActionUnknown(PlatformError):
    """No bulk action has this id."""

    code = "bulk_action_unknown"
    status = 404
    title = "No such bulk action"


class UsersChanged(PlatformError):
    """Other users would be affected than the preview showed; look at it again."""

    code = "users_changed"
    status = 409
    title = "Other users are affected now"


class PlansInvalid(PlatformError):
    """The file of plans has mistakes; `problems` names each with its line."""

    code = "plans_invalid"
    status = 422
    title = "These plans cannot be read"


class PlansChanged(PlatformError):
    """It would change something else than the preview showed; look at it again."""

    code = "plans_changed"
    status = 409
    title = "The plans are others now"

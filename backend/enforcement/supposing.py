"""What an account would be allowed with another plan or another limit. Pure: nothing is given."""

from dataclasses import dataclass, replace

from backend.core.errors import InvalidInput
from backend.core.ids import uuid7
from backend.enforcement.decide import find_meter
from backend.subscription.change import as_assigned
from backend.subscription.entitlements import Entitlements
from backend.subscription.overrides import ensure_amount
from backend.subscription.stacking import Kind, Override


@dataclass(frozen=True, slots=True)
class SupposedLimit:
    """`amount` base units of a meter more (`add`), or instead of the plan's (`set`; None is unlimited).

    A `meter` of None is the one that was refused.
    """

    meter: str | None
    kind: Kind
    amount: int | None


@dataclass(frozen=True, slots=True)
class Supposed:
    """An account that has just been put on a plan on sale for 30 days, or was given a limit, or both; None stays as it
    is."""

    plan: str | None = None
    limit: SupposedLimit | None = None

    def of_refusal(self, meter: str | None) -> "Supposed":
        """The same, of the meter that was refused where it names none. Raises InvalidInput where there is none."""
        if self.limit is None or self.limit.meter is not None:
            return self
        if meter is None:
            raise InvalidInput("override: this was not refused by a meter; name the one that is meant.")
        return replace(self, limit=replace(self.limit, meter=meter))

    def change(self, entitlements: Entitlements) -> Entitlements:
        """What it would be allowed. Raises PlanUnknown, MeterUnknown, InvalidInput."""
        if self.plan is not None:
            entitlements = as_assigned(entitlements, self.plan)
        if self.limit is None:
            return entitlements
        limit, now = self.limit, entitlements.now
        meter = find_meter(entitlements, limit.meter or "")
        ensure_amount(meter, limit.kind, limit.amount)
        given = Override(uuid7(), meter.key, limit.kind, limit.amount, starts_at=now, ends_at=None, reason="")
        return replace(entitlements, overrides=(*entitlements.overrides, given))


AS_IT_IS = Supposed()

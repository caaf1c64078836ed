"""/v1/keys/verify: for host applications that are shown a key by a customer."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from backend.auth.api.deps import CurrentPrincipal, Now
from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.catalog.errors import MeterUnknown
from backend.core.errors import InvalidInput
from backend.core.problem import StrictRoute, problem_responses
from backend.enforcement.api.deps import IdempotencyHeader
from backend.enforcement.errors import OutcomeUnknown
from backend.enforcement.gate import Metering
from backend.enforcement.verification import KeyVerdict, Verification
from backend.usage.errors import IdempotencyConflict
from backend.usage.model import MAX_AMOUNT

router = APIRouter(prefix="/v1/keys", tags=["Keys"], route_class=StrictRoute)

SCOPE = "keys:verify"


def _verifier(principal: CurrentPrincipal) -> None:
    """The host application itself."""
    if principal.kind != "service_key" or SCOPE not in principal.scopes:
        raise ScopeMissing(f"This needs a service key with the scope {SCOPE}.", scope=SCOPE)


class VerifyBody(BaseModel):
    """A key as a customer has sent it. With `meter` the `amount`, 1 if left out, is spent if it fits."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, Field(min_length=1, max_length=4_096)]
    meter: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT)] | None = None


class VerifiedAccount(BaseModel):
    """The account that the key acts for; `external_id` is the id that the host application gave it."""

    id: UUID
    external_id: str | None


class VerifiedPlan(BaseModel):
    """The plan of the account."""

    name: str
    display_name: str


class VerifiedKey(BaseModel):
    """`valid`: the key is good now. `allowed`: and its request may pass; this is what to go by. `code` says why not.

    Of a key that is not good nothing else is told. `scopes` empty means that it reads and spends for its account.
    `subject` is whose key it is, as the members of an account are named; null is the account's own. `decision` is
    that of the spend, where `meter` was sent and it came so far.
    """

    valid: bool
    allowed: bool
    code: str
    detail: str
    retry_after: int | None
    key_id: UUID | None
    account: VerifiedAccount | None
    user_id: UUID | None
    subject: str | None
    role: Literal["owner", "admin", "developer", "billing", "viewer"] | None
    scopes: list[str]
    plan: VerifiedPlan | None
    decision: dict[str, Any] | None


@router.post(
    "/verify",
    dependencies=[Depends(_verifier)],
    responses=problem_responses(
        Unauthenticated, ScopeMissing, MeterUnknown, IdempotencyConflict, OutcomeUnknown, body=True
    ),
)
async def verify_key(
    body: VerifyBody, request: Request, now: Now, idempotency_key: IdempotencyHeader = None
) -> VerifiedKey:
    """Whose a customer's key is, and whether its request may pass: it counts as one request of that key.

    Needs a service key with the scope `keys:verify`. With `meter` the amount is spent in the same step, as if the
    customer had asked. Always 200 for a key that can be judged, good or not.
    """
    if body.meter is None and body.amount is not None:
        raise InvalidInput("amount: of which meter? Send meter, too, or leave amount out.")
    state = request.app.state
    verification = Verification(state.admission, state.gate, state.denials, request.scope, now)
    metering = None if body.meter is None else Metering(body.meter, 1 if body.amount is None else body.amount)
    return _answer(await verification.verify(body.key, metering=metering, idempotency_key=idempotency_key))


def _answer(found: KeyVerdict) -> VerifiedKey:
    holder = found.holder
    said = {
        "valid": holder is not None,
        "allowed": found.allowed,
        "code": found.code,
        "detail": found.detail,
        "retry_after": found.retry_after,
        "decision": found.decision,
    }
    if holder is None:
        nobody = dict.fromkeys(("key_id", "account", "user_id", "subject", "role", "plan"))
        return VerifiedKey.model_validate({**said, **nobody, "scopes": []})
    principal, terms = holder.principal, holder.entitlements.terms
    return VerifiedKey.model_validate(
        {
            **said,
            "key_id": principal.key_id,
            "account": {"id": principal.account_id, "external_id": holder.external_id},
            "user_id": principal.user_id,
            "subject": str(principal.user_id) if principal.user_id else None,
            "role": principal.role,
            "scopes": sorted(principal.scopes),
            "plan": {"name": terms.name, "display_name": terms.display_name},
        }
    )

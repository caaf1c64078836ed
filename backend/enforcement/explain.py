"""Why something was refused: as it was then, and what the same question would be answered now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, or_, select

from backend.auth.errors import AccountUnknown
from backend.auth.principal import told_to_customer
from backend.core.ids import AccountId
from backend.db.models.account_member import AccountMember
from backend.db.models.api_key import ApiKey
from backend.db.models.denial import Denial
from backend.db.models.user import User
from backend.db.session import ReadSession
from backend.enforcement.again import KeyNamed, Now, ask_again
from backend.enforcement.engine import Engine
from backend.enforcement.errors import DecisionAmbiguous, DecisionUnknown
from backend.enforcement.supposing import AS_IT_IS, Supposed
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements, resolve
from backend.usage import denial_log

_UNKNOWN = (
    "No refusal{whose} has this id, or it is no longer kept. A request after the first 32 that were refused alike"
    " within a second is known by its decision's id alone."
)
_MOST_TOLD = 20
_PERSON: Mapping[str, str] = {
    "suspended": "The user is locked, and their sessions and keys rest: an operator unlocks them.",
    "unverified": "The user's address is not confirmed, and their keys rest until it is: open the link in the mail.",
    "deleted": "The user is deleted, and so are their keys: use another account.",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A refusal, then and now. To its account `subject` is None of who is no member of it, `operator` of whoever acted
    as one of them, and `key` None of a key that is not its own."""

    denial: Denial
    rules: Sequence[Mapping[str, Any]]
    key: KeyNamed | None
    subject: str | None
    zone: str
    now: Now


@dataclass(frozen=True, slots=True)
class _Refusal:
    denial: Denial
    entitlements: Entitlements
    key: KeyNamed | None
    subject: str | None


async def explain(
    engine: Engine,
    account_id: AccountId,
    name: str,
    *,
    now: datetime,
    rates: Mapping[str, RateVerdict],
    to_operator: bool = False,
) -> Explained:
    """The refusal that a decision's or a request's id names. `rates` are what the account's rate limits said of the
    request that asks, where it is the account's own. Operators are told whose key and whose request it was.

    Raises DecisionUnknown: of another account, never refused, not written yet or no longer kept.
    """
    found = await _find(engine, account_id, name, now=now, to_operator=to_operator)
    denial, key = found.denial, found.key
    again = await ask_again(
        engine,
        denial,
        found.entitlements,
        barred=await _against(engine, denial, key),
        now=now,
        rates=rates,
        change=AS_IT_IS.change,
    )
    rules = denial.rules if to_operator else [_own(rule, key) for rule in denial.rules]
    return Explained(denial, rules, key, found.subject, found.entitlements.zone.key, again)


async def simulate(engine: Engine, account_id: AccountId, name: str, supposed: Supposed, *, now: datetime) -> Now:
    """What the same question would be answered now if the account were another. Nothing is given or spent.

    Raises DecisionUnknown, and as `Supposed`.
    """
    found = await _find(engine, account_id, name, now=now, to_operator=True)
    supposed = supposed.of_refusal(found.denial.meter)
    return await ask_again(
        engine,
        found.denial,
        found.entitlements,
        barred=await _against(engine, found.denial, found.key),
        now=now,
        rates={},
        change=supposed.change,
    )


async def account_refused(engine: Engine, name: str) -> AccountId:
    """Whose refusal an id names. Raises DecisionUnknown, and DecisionAmbiguous for a request's id, which its sender
    chooses, under which several accounts were refused."""
    async with engine.database.read() as session:
        found = await denial_log.named(session, None, name)
    of_account = {denial.account_id: denial for denial in reversed(found)}
    if not of_account:
        raise DecisionUnknown(_UNKNOWN.format(whose=""))
    if len(of_account) > 1:
        each = [{"account_id": str(one.account_id), "id": str(one.id)} for one in of_account.values()]
        raise DecisionAmbiguous(
            f"Requests of {len(each)} accounts bore this id. Say whose is meant, or use a decision's id.",
            decisions=each[:_MOST_TOLD],
        )
    return found[0].account_id


async def _find(engine: Engine, account_id: AccountId, name: str, *, now: datetime, to_operator: bool) -> _Refusal:
    async with engine.database.read(account_id) as session:
        denial = await denial_log.find(session, account_id, name)
        if denial is None:
            raise DecisionUnknown(_UNKNOWN.format(whose=" of this account"))
        entitlements = await resolve(session, account_id=account_id, catalogs=engine.catalogs, now=now)
        if entitlements is None:
            raise AccountUnknown("No account of yours has this id.")
        if not to_operator:
            key = await _key(session, denial, ApiKey.account_id == denial.account_id, now=now)
            return _Refusal(denial, entitlements, key, await _subject(session, denial))
    async with engine.database.read() as session:
        return _Refusal(denial, entitlements, await _key(session, denial, now=now), denial.subject)


async def _key(session: ReadSession, denial: Denial, *only: ColumnElement[bool], now: datetime) -> KeyNamed | None:
    """To its account, only its own: a host application's is none of its business."""
    if denial.key_id is None:
        return None
    columns = (ApiKey.id, ApiKey.kind, ApiKey.name, ApiKey.prefix, ApiKey.revoked_at, ApiKey.expires_at)
    row = (await session.execute(select(*columns).where(ApiKey.id == denial.key_id, *only))).one_or_none()
    if row is None:
        return None
    state: Literal["active", "expired", "revoked"] = "active"
    if row.revoked_at is not None:
        state = "revoked"
    elif row.expires_at is not None and row.expires_at <= now:
        state = "expired"
    return KeyNamed(row.id, "service" if row.kind == "service" else "personal", row.name, row.prefix, state)


async def _against(engine: Engine, denial: Denial, key: KeyNamed | None) -> str | None:
    """What stands against the credential now: the key's own state, or that of whoever it is or who was signed in."""
    if key is not None and key.state != "active":
        return f"The key {key.prefix}... is {key.state}: use another one."
    try:
        user_id = UUID(denial.subject or "")
    except ValueError:  # somebody who is no user of ours
        return None
    async with engine.database.read() as session:
        status = await session.scalar(select(User.status).where(User.id == user_id))
    return _PERSON.get(status or "")


async def _subject(session: ReadSession, denial: Denial) -> str | None:
    """Who asked, if they are or were a member, or `operator`: one who acted for the account is not named."""
    told = told_to_customer(denial.subject)
    if told is None or told != denial.subject:
        return told
    is_them = or_(
        cast(AccountMember.user_id, Text) == denial.subject,
        AccountMember.foreign_subject == denial.subject,
    )
    found = await session.scalar(
        select(AccountMember.id).where(AccountMember.account_id == denial.account_id, is_them).limit(1)
    )
    return denial.subject if found is not None else None


def _own(rule: Mapping[str, Any], key: KeyNamed | None) -> Mapping[str, Any]:
    """As written down, without the id of a key that is not the account's."""
    return rule if key is not None else {name: value for name, value in rule.items() if name != "key_id"}

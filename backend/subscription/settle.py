"""Writing down what time has done to a subscription: the same steps, whether the sweep comes in time or late."""

from datetime import datetime

from backend.db import outbox
from backend.db.session import WriteSession
from backend.subscription.lifecycle import Status, Step, transitions
from backend.subscription.repository import SubscriptionRow, append_period, end_period, raise_version, write_facts


async def settle_due(session: WriteSession, *, subscription: SubscriptionRow, now: datetime) -> list[Step]:
    """Writes every step up to `now` (the account's clock), one period row each, and tells of each.

    The caller holds `lock_account` and has read the subscription after it. Returns the steps; none when nothing was
    due, so that a second sweep changes nothing.
    """
    before = subscription.facts
    steps = transitions(before, now)
    for step in steps:
        facts = step.facts
        if step.kind == "renewed":
            await append_period(session, subscription=subscription, facts=facts)
        elif facts.current_period_end != before.current_period_end or facts.status is Status.EXPIRED:
            await end_period(
                session,
                subscription=subscription,
                period_start=facts.current_period_start,
                period_end=facts.current_period_end,
            )
        outbox.publish(
            session,
            topic="subscription.changed",
            account_id=subscription.account_id,
            payload={"kind": step.kind, "subscription_id": str(subscription.id), "at": step.at.isoformat()},
        )
        before = facts
    if steps:
        await write_facts(session, subscription=subscription, facts=steps[-1].facts)
        await raise_version(session, account_id=subscription.account_id)
    return steps

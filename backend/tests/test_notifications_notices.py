"""Who is written to when a plan ends, and in which words."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.jobs.dispatch import dispatch
from backend.notifications.notices import on_subscription_changed
from backend.subscription.lifecycle import Status, SubscriptionFacts
from backend.subscription.periods import Interval
from backend.subscription.service import upgrade_user_plan
from backend.subscription.tasks import settle_all
from backend.tests.factories.accounts import person
from backend.tests.moments import NOW
from backend.tests.test_subscription_sweep import DAY, facts, subscribe

LISTENERS = {"subscription.changed": partial(on_subscription_changed, app_url="https://app.example.test/app")}


async def mails(database: Database, now: datetime) -> list[tuple[str, str, str]]:
    """Settles and tells; (recipient, subject, text) of all mail since."""
    await settle_all(database, now=now)
    while await dispatch(database, LISTENERS, now=now):
        pass
    async with database.read() as session:
        rows = await session.execute(text("SELECT recipient, subject, text_body FROM outgoing_mails ORDER BY id"))
        return [(row.recipient, row.subject, row.text_body) for row in rows]


@pytest.mark.parametrize(
    ("given", "subject", "words"),
    [
        (facts(expires=10 * DAY), "Your Pro Plan has ended", "Your Pro Plan ended on 20 March 2026."),
        (
            facts(status=Status.TRIAL, trial=14 * DAY),
            "Your trial of the Pro Plan has ended",
            "Your trial of the Pro Plan ended on 24 March 2026.",
        ),
        (
            facts(cancels=True),
            "Your Pro Plan has ended",
            "As you asked, your Pro Plan ended with its period on 10 April 2026.",
        ),
    ],
)
async def test_the_owner_is_told_once_what_ended_and_when(
    database: Database, given: SubscriptionFacts, subject: str, words: str
) -> None:
    async with database.system() as session:
        someone = await subscribe(session, given)
    assert await mails(database, NOW + DAY) == []
    ((to, found, body),) = await mails(database, NOW + 40 * DAY)
    assert (to, found) == (someone.email, subject)
    assert words in body
    assert "has the Free Plan now" in body
    assert "https://app.example.test/app" in body
    assert len(await mails(database, NOW + 50 * DAY)) == 1
    async with database.read() as session:
        job = await session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'mail:deliver'"))
        assert job == 1


async def test_a_renewal_and_a_change_of_plan_are_no_reason_to_write(database: Database) -> None:
    async with database.system() as session:
        await subscribe(session, facts(interval=Interval("week")))
        other = await person(session)
        await upgrade_user_plan(session, other.user_id, "pro", now=NOW)
        await upgrade_user_plan(session, other.user_id, "enterprise", now=NOW + timedelta(hours=1))
    assert await mails(database, NOW + 29 * DAY) == []


async def test_nobody_is_written_to_who_is_gone(database: Database) -> None:
    async with database.system() as session:
        someone = await subscribe(session, facts(expires=DAY))
        await session.execute(
            text("UPDATE users SET status = 'deleted', deleted_at = :now WHERE id = :id"),
            {"now": NOW, "id": someone.user_id},
        )
    assert await mails(database, NOW + 2 * DAY) == []

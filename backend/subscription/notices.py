"""Telling customers, once for each meter, window and share, that they have used so much of a quota.

A counter that passes its mark becomes due, whoever counts. What is told is written in one transaction: the notice, the
message for those who listen, the mail, and the counter's next mark.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from backend import mail
from backend.catalog.definitions import MeterDefinition
from backend.catalog.service import Catalogs
from backend.db import outbox
from backend.db.models import OutboxMessage
from backend.db.session import ReadSession, SystemSession
from backend.jobs.queue import enqueue
from backend.notifications.usage_words import Share, words
from backend.subscription import marks, notice_rows
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.notice_rows import CounterKey, Looked, Reached
from backend.usage.model import Window

TOPIC = "usage.notice"
LATER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """That `percent` of a quota was reached at `reached_at`, by the account's clock; `used` and `limit` as they were
    then, in base units. `resets_at` is None for a level, of which is told once in each period."""

    meter: str
    percent: int
    used: int
    limit: int
    window_start: datetime
    resets_at: datetime | None
    reached_at: datetime


async def on_limits_changed(session: SystemSession, message: OutboxMessage) -> None:
    """The limits of an account may have changed: its counters are looked at again, by a job of its own, since it
    locks counters."""
    await enqueue(session, "subscription:look_again", account_id=str(message.account_id))


async def look(session: SystemSession, key: CounterKey, *, catalogs: Catalogs, app_url: str, now: datetime) -> bool:
    """Tells what there is to tell of a counter that is due. False when somebody else is at it.

    `now` is the system's clock; a test-mode account adds its offset. `app_url` is where the web app is.
    """
    if not await notice_rows.take(session, key):
        return False
    counter = await notice_rows.lock(session, key)
    # Only now: a change of limits that is not seen here makes the counter due again when this is over.
    entitlements = await resolve(session, account_id=key.account_id, catalogs=catalogs, now=now)
    if entitlements is not None and entitlements.now < key.window_start:
        # Counted by a clock that is ahead of this one.
        await notice_rows.put_off(session, key, wait=min(LATER, key.window_start - entitlements.now))
        return True
    await notice_rows.forget(session, key)
    if counter is None or entitlements is None:
        return True
    meter = _meter(entitlements, key.meter)
    if meter is None:
        await notice_rows.arm(session, key, notice_at=None)
    elif entitlements.window(meter).start == key.window_start:
        await _tell(session, key, counter, entitlements, meter, app_url)
    return True


async def present(session: ReadSession, entitlements: Entitlements) -> list[Notice]:
    """What was told in the windows of now, the newest first."""
    meters = {meter.key: meter for meter in entitlements.catalog.meters}
    windows = [(meter.key, told_window(entitlements, meter).start) for meter in meters.values()]
    return [
        Notice(
            meter=told.meter,
            percent=told.percent,
            used=told.used,
            limit=told.quota,
            window_start=told.window_start,
            resets_at=None if meters[told.meter].kind == "gauge" else told.window_end,
            reached_at=told.reached_at,
        )
        for told in await notice_rows.told(session, account_id=entitlements.account.id, windows=windows)
    ]


def told_window(entitlements: Entitlements, meter: MeterDefinition) -> Window:
    """In which each share is told once: the counter's window, or of a level the account's period."""
    return entitlements.period if meter.kind == "gauge" else entitlements.window(meter)


def _meter(entitlements: Entitlements, key: str) -> MeterDefinition | None:
    return next((meter for meter in entitlements.catalog.meters if meter.key == key), None)


async def _tell(
    session: SystemSession,
    key: CounterKey,
    counter: Looked,
    entitlements: Entitlements,
    meter: MeterDefinition,
    app_url: str,
) -> None:
    limit, window = entitlements.quota(meter.key).limit, told_window(entitlements, meter)
    place = CounterKey(key.account_id, meter.key, window.start)
    before = await notice_rows.told(session, account_id=key.account_id, windows=[(meter.key, window.start)])
    percents = {notice.percent: notice for notice in before}
    reached = marks.reached(counter.used, limit)
    new = [percent for percent in reached if percent not in percents]
    if limit and new:
        facts = Reached(meter, counter.used, limit, window, entitlements.now)
        await notice_rows.tell(session, place, percents=new, reached=facts)
        for percent in new:
            outbox.publish(
                session, topic=TOPIC, account_id=key.account_id, payload={"percent": percent, **facts.to_json()}
            )
        await _write(session, entitlements, facts, new[-1], app_url)
    elif limit and marks.FULL in reached and (counter.is_armed or percents[marks.FULL].quota != limit):
        facts = Reached(meter, counter.used, limit, window, entitlements.now)
        await notice_rows.reached_again(session, place, reached=facts)
    await notice_rows.arm(session, key, notice_at=marks.next_look(limit, {*percents, *new}))


async def _write(
    session: SystemSession, entitlements: Entitlements, facts: Reached, percent: int, app_url: str
) -> None:
    to = await notice_rows.owner_address(session, account_id=entitlements.account.id)
    if to is None:
        return
    subject, paragraphs = words(
        Share(
            meter=facts.meter,
            percent=percent,
            used=facts.used,
            limit=facts.limit,
            plan=entitlements.terms.display_name,
            resets_at=None if facts.meter.kind == "gauge" else facts.window.end,
            reached_at=facts.at,
            zone=entitlements.zone,
        )
    )
    link = mail.Link("See your usage", f"{app_url}/usage")
    await mail.send(session, to=to, subject=subject, paragraphs=paragraphs, link=link)

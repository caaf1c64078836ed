"""Notices by mail, written in the transaction that hears of the fact: one fact, one mail."""

from datetime import datetime
from uuid import UUID

from backend import mail
from backend.db.models import OutboxMessage
from backend.db.session import SystemSession
from backend.notifications.repository import EndedPlan, ended_plan

_ENDINGS = frozenset({"expired", "cancelled"})


async def on_subscription_changed(session: SystemSession, message: OutboxMessage, *, app_url: str) -> None:
    """Writes to the account's owner when a plan has ended by itself; `app_url` is where plans are chosen.

    The message is `subscription.changed`: kind, subscription_id, and at, when it took place.
    """
    kind = message.payload["kind"]
    if kind not in _ENDINGS:
        return
    ended = await ended_plan(
        session, account_id=message.account_id, subscription_id=UUID(message.payload["subscription_id"])
    )
    if ended is None:
        return
    subject, first = _words(ended, kind, datetime.fromisoformat(message.payload["at"]))
    await mail.send(
        session,
        to=ended.email,
        subject=subject,
        paragraphs=(
            first,
            f"Unless you have chosen another plan since then, your account has the {ended.default_plan} now. "
            "Your data and your usage are kept.",
        ),
        link=mail.Link("See your usage and choose a plan", app_url),
    )


def _words(ended: EndedPlan, kind: str, at: datetime) -> tuple[str, str]:
    """The subject, and what happened."""
    day = f"{at.astimezone(ended.zone):%-d %B %Y}"
    if kind == "cancelled":
        return f"Your {ended.plan} has ended", f"As you asked, your {ended.plan} ended with its period on {day}."
    if ended.trial_end is not None and at == ended.trial_end:
        return f"Your trial of the {ended.plan} has ended", f"Your trial of the {ended.plan} ended on {day}."
    return f"Your {ended.plan} has ended", f"Your {ended.plan} ended on {day}."

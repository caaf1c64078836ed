"""Whether everything runs, in checks that an operator can act on. Pure: numbers come from `vitals`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backend.admin.vitals import MOST_COUNTED, Queue, Vitals
from backend.usage.partitions import AHEAD

State = Literal["ok", "near", "over"]
_ORDER: tuple[State, ...] = ("ok", "near", "over")

# Milliseconds of a question that asks for nothing.
SLOW, VERY_SLOW = 100.0, 1_000.0
# Seconds that work of a second or two may wait, and mail, which leaves the house.
LATE, VERY_LATE = 10.0, 60.0
MAIL_LATE, MAIL_VERY_LATE = 60.0, 900.0
# The nightly comparison, with hours to spare.
COMPARED_LATE, COMPARED_VERY_LATE = 26 * 3_600.0, 50 * 3_600.0

_WORKER = "Look whether a worker runs (`feature worker`, or the one of `feature up`), and what its log says."


@dataclass(frozen=True, slots=True)
class Check:
    """One of them: what was found, with its numbers, and what to do where it is not `ok`."""

    name: str
    state: State
    found: str
    what_to_do: str | None = None
    numbers: Mapping[str, float | int | None] = field(default_factory=dict)


def checks_of(vitals: Vitals) -> list[Check]:
    """All checks in the order in which one would look: what the others rest upon comes first."""
    return [
        _database(vitals),
        _readiness(vitals),
        _workers(vitals),
        _queue("jobs", "jobs are ready to run", vitals.jobs, what_to_do=_WORKER),
        _failed(vitals),
        _queue("outbox", "facts wait to be told to those who listen", vitals.outbox, what_to_do=_WORKER),
        _queue("audit_seals", "acts of the audit log are not sealed yet", vitals.audit, what_to_do=_WORKER),
        _queue("holds", "reservations are over and hold their amount still", vitals.holds, what_to_do=_WORKER),
        _changes(vitals),
        _mails(vitals),
        _processes(vitals),
        _partitions(vitals),
        _compared(vitals),
    ]


def worst(checks: list[Check]) -> State:
    """The state of the whole."""
    return max((check.state for check in checks), key=_ORDER.index, default="ok")


def _database(vitals: Vitals) -> Check:
    state = _by(vitals.milliseconds, SLOW, VERY_SLOW)
    return Check(
        "database",
        state,
        f"PostgreSQL {vitals.version} answers in {vitals.milliseconds:g} ms.",
        None if state == "ok" else "Look at its load, its disk and the network to it.",
        {"milliseconds": vitals.milliseconds},
    )


def _readiness(vitals: Vitals) -> Check:
    if vitals.reasons:
        return Check(
            "readiness", "over", " ".join(vitals.reasons), "This process is to be given no requests until then."
        )
    if vitals.notes:
        return Check("readiness", "near", " ".join(vitals.notes), "Free space or memory where this process runs.")
    return Check("readiness", "ok", "At the newest migration; what is acknowledged is on disk.")


def _workers(vitals: Vitals) -> Check:
    numbers = {"alive": vitals.workers, "heard_seconds": vitals.heard_seconds}
    if vitals.workers:
        return Check("workers", "ok", f"{_some(vitals.workers, 'worker')} alive.", numbers=numbers)
    found = "No worker was ever heard of."
    if vitals.heard_seconds is not None:
        found = f"No worker is alive; the last one was heard of {_time(vitals.heard_seconds)} ago."
    return Check("workers", "over", found, "Start one: `feature worker`. What waits is taken up then.", numbers)


def _queue(name: str, what: str, queue: Queue, *, what_to_do: str) -> Check:
    state = _by(queue.seconds, LATE, VERY_LATE)
    found = f"{_many(queue.waiting)} {what}."
    if queue.waiting:
        found = f"{_many(queue.waiting)} {what}, the oldest for {_time(queue.seconds)}."
    return Check(name, state, found, None if state == "ok" else what_to_do, _numbers(queue))


def _failed(vitals: Vitals) -> Check:
    if not vitals.failed:
        return Check("failed_jobs", "ok", "No job was given up in the last 30 days.", numbers={"failed": 0})
    by_number = sorted(vitals.failed.items(), key=lambda each: (-each[1], each[0]))
    listed = ", ".join(f"{name} ({_many(number)})" for name, number in by_number)
    return Check(
        "failed_jobs",
        "near",
        f"Jobs that were given up: {listed}.",
        "The worker's log says why, under the name of the task. They are forgotten a month after their end.",
        dict(by_number),
    )


def _changes(vitals: Vitals) -> Check:
    state = _by(vitals.changes_seconds, LATE, VERY_LATE)
    found = "No change of a subscription waits to be written down."
    if vitals.changes_seconds:
        found = f"Changes of subscriptions wait to be written down, the oldest for {_time(vitals.changes_seconds)}."
    advice = f"Customers see them all the same. {_WORKER}"
    return Check(
        "subscription_changes",
        state,
        found,
        None if state == "ok" else advice,
        {"oldest_seconds": vitals.changes_seconds},
    )


def _mails(vitals: Vitals) -> Check:
    state = _by(vitals.mails.seconds, MAIL_LATE, MAIL_VERY_LATE)
    found = f"{_many(vitals.mails.waiting)} messages wait to be sent."
    if vitals.mails.waiting:
        found = f"{found[:-1]}, the oldest for {_time(vitals.mails.seconds)}."
    if vitals.mails_tried:
        found += f" {_many(vitals.mails_tried)} of them were tried before."
    advice = "Look at the mail server and SMTP_HOST; the worker's log says what it answered. They are tried again."
    numbers = {**_numbers(vitals.mails), "tried_before": vitals.mails_tried}
    return Check("mail", state, found, None if state == "ok" else advice, numbers)


def _processes(vitals: Vitals) -> Check:
    numbers = {"serving": vitals.serving, "left_behind": vitals.left_behind}
    found = f"{_some(vitals.serving, 'process', 'processes')} serving from memory."
    if not vitals.left_behind:
        return Check("processes", "ok", found, numbers=numbers)
    return Check(
        "processes",
        "near",
        f"{found} {_some(vitals.left_behind, 'journal')} left by processes that are gone.",
        "Start a process with the same FEATURE_HOME: it counts what they spent. Until then their amounts are held.",
        numbers,
    )


def _partitions(vitals: Vitals) -> Check:
    state: State = "ok" if min(vitals.months.values()) >= AHEAD - 1 else "near"
    listed = "; ".join(f"{table}: {_some(months, 'month')}" for table, months in vitals.months.items())
    advice = "They are made within ten minutes; rows of a month without a table go to the default one, and are found. "
    return Check(
        "partitions",
        state,
        f"Tables that are made ahead: {listed}.",
        None if state == "ok" else advice + _WORKER,
        vitals.months,
    )


def _compared(vitals: Vitals) -> Check:
    numbers = {"seconds_ago": vitals.compared_seconds}
    if vitals.compared_seconds is None:
        return Check(
            "comparison", "ok", "Nothing was compared yet: it is done every night at 03:17 UTC.", numbers=numbers
        )
    state = _by(vitals.compared_seconds, COMPARED_LATE, COMPARED_VERY_LATE)
    found = f"Counters and events were last asked to be compared {_time(vitals.compared_seconds)} ago."
    advice = f"It is done every night at 03:17 UTC. {_WORKER}"
    return Check("comparison", state, found, None if state == "ok" else advice, numbers)


def _by(number: float, near: float, over: float) -> State:
    return "over" if number >= over else "near" if number >= near else "ok"


def _numbers(queue: Queue) -> dict[str, float | int | None]:
    return {"waiting": queue.waiting, "oldest_seconds": queue.seconds}


def _many(number: int) -> str:
    return f"{number:,}" if number < MOST_COUNTED else f"{MOST_COUNTED:,} or more"


def _some(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _time(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,.0f} {unit}"
    return f"{seconds:.0f} seconds"

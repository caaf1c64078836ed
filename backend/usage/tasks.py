"""Background work of usage."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from procrastinate import Blueprint, JobContext

from backend.db.session import Database
from backend.jobs.work import RETRY, work_of
from backend.usage import partitions
from backend.usage.holds import accounts_with_due_holds, expire_due
from backend.usage.integrity import Difference, check
from backend.usage.partitions import DENIALS, USAGE_EVENTS, Finding, look_over
from backend.usage.records import RecordDifference, check_records

_log = structlog.get_logger(__name__)

blueprint = Blueprint()


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison of everything has found."""

    months: list[Finding]
    differences: list[Difference]
    records: list[RecordDifference]

    @property
    def is_explained(self) -> bool:
        """Whether everything was read, and nothing is left that somebody has to look at."""
        return (
            all(finding.fault == "default" for finding in self.months)
            and all(difference.fault not in ("unexplained", "unread") for difference in self.differences)
            and all(record.is_repaired for record in self.records)
        )


@blueprint.periodic(cron="17 3 * * *")
@blueprint.task(name="compare", pass_context=True, queueing_lock="usage.compare", retry=RETRY)
async def compare(context: JobContext, timestamp: int) -> None:
    """Compares counters, events, sums and records every night; says what differs, and repairs what can be explained.

    Then drops the months of events that are older than the rule: not before everything is explained, for they are
    the evidence.
    """
    work = work_of(context)
    await compare_and_retire(work.database, now=work.clock.now(), months=work.settings.usage_events_kept_months)


async def keep_months(database: Database, *, now: datetime, denials_kept_days: int) -> int:
    """Makes the tables of the months to come, and drops those of refusals that are old enough. Returns how many."""
    made = [await partitions.make_ahead(database, now=now, kept=kept) for kept in (USAGE_EVENTS, DENIALS)]
    gone = await partitions.retire(database, kept=DENIALS, before=now - timedelta(days=denials_kept_days))
    return sum(map(len, made)) + len(gone)


async def compare_all(database: Database, *, now: datetime, repairs: bool = True) -> Compared:
    """Months, counters against events against sums, records. Nothing is appended while a month may come back."""
    months = await look_over(database, now=now)
    for finding in months:
        say = _log.warning if finding.fault == "default" else _log.error
        say("month of events", part=finding.part, fault=finding.fault, rows=finding.rows, what_to_do=finding.cure)
    appends = not any(finding.hides_rows for finding in months)
    differences = await check(database, now=now, repairs=repairs, appends=appends)
    return Compared(months, differences, await check_records(database, now=now, repairs=repairs))


async def compare_and_retire(database: Database, *, now: datetime, months: int | None) -> list[str]:
    """Keeps `months` whole months of events before the present one; None keeps all. Returns what is gone."""
    compared = await compare_all(database, now=now)
    if months is None:
        return []
    if not compared.is_explained:
        _log.warning("no month of events is dropped before somebody has looked at what differs")
        return []
    gone = await partitions.retire(database, kept=USAGE_EVENTS, before=partitions.first_of_month(now, -months))
    for part in gone:
        _log.info("month of events dropped", part=part, kept_months=months)
    return gone


async def expire_holds(database: Database) -> int:
    """Gives back what expired holds still hold, each account in a transaction of its own. Returns how many holds.

    Holds expire on the database's clock. An account that cannot be settled now does not keep the others waiting.
    """
    async with database.system() as session:
        accounts = await accounts_with_due_holds(session)
    expired = 0
    for account_id in accounts:
        try:
            async with database.account(account_id) as session:
                expired += await expire_due(session, account_id=account_id)
        except Exception:
            _log.exception("holds not expired", account_id=str(account_id))
    return expired

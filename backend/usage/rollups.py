"""Sums of a quarter of an hour: the part of a statement that adds to them, beside the events that say why."""

from datetime import timedelta
from uuid import UUID

BUCKET = timedelta(minutes=15)
# In the place of a key where none spent, so that it can be part of the primary key.
NO_KEY = UUID(int=0)

_BUCKET_OF = "date_bin('15 minutes', {moment}, TIMESTAMPTZ '2000-01-01 00:00+00')"


def adding(
    source: str, *, account_id: str = "account_id", key_id: str = "key_id", occurred_at: str = "occurred_at"
) -> str:
    """Adds the amounts of `source`, in the order of the primary key, so that no two transactions wait in a circle."""
    return f"""
        INSERT INTO usage_rollups AS rollup (account_id, meter, bucket_start, key_id, amount)
        SELECT {account_id}, meter, {_BUCKET_OF.format(moment=occurred_at)}, coalesce({key_id}, '{NO_KEY}'),
            sum(amount)::bigint
        FROM {source} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (account_id, meter, bucket_start, key_id) DO UPDATE SET amount = rollup.amount + excluded.amount
    """  # noqa: S608 - parts of statements of ours

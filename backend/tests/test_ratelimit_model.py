"""Whose bucket it is."""

from ipaddress import ip_address
from uuid import UUID

import pytest
from feature_platform.core.gcra import RateLimit

from backend.core.ids import AccountId
from backend.ratelimit.model import Bucket, Subject, Take, account_subject, address_subject, decide, key_subject

LIMIT = RateLimit(requests=5, per_seconds=60, burst=5)
SOMEONE = UUID(int=7)


def test_an_account_and_a_key_with_the_same_id_are_two_subjects() -> None:
    assert account_subject(AccountId(SOMEONE)) != key_subject(SOMEONE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ],
)
def test_an_address_is_the_caller_that_has_it(one: str, other: str, same: bool) -> None:
    assert (address_subject(ip_address(one)) == address_subject(ip_address(other))) is same


@pytest.mark.parametrize("scope", ["", "Api", "a|b", "1a", "a b", "a\x00"])
def test_a_scope_is_a_word(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        Bucket(scope, key_subject(SOMEONE))


def test_a_subject_cannot_reach_into_the_scope() -> None:
    with pytest.raises(ValueError, match="subject"):
        Bucket("api", Subject("account:x|y"))


def test_a_refusal_gives_no_new_state() -> None:
    takes = [Take(Bucket("api", key_subject(SOMEONE)), LIMIT, 6), Take(Bucket("search", key_subject(SOMEONE)), LIMIT)]
    verdicts, states = decide(takes, [None, None], 1_000)
    assert states == (None, None)
    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(False, 5), (True, 5)]


def test_a_state_too_far_ahead_is_corrected_by_any_verdict() -> None:
    takes = [Take(Bucket("api", key_subject(SOMEONE)), LIMIT, 1)]
    verdicts, states = decide(takes, [10**18], 1_000)
    assert not verdicts[0].allowed
    assert states == (1_000 + LIMIT.capacity,)
    verdicts, _ = decide(takes, states, 1_000 + (verdicts[0].retry_after or 0))
    assert verdicts[0].allowed

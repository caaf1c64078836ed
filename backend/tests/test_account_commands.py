"""`feature account grant`, `overrides` and `take-back`, as they are typed."""

from collections.abc import Callable
from typing import Any

from backend.tests.test_auth_commands import PASSWORD, Feature, feature, rows

__all__ = ["feature", "rows"]  # fixtures

WHO = "somebody@example.com"


def made(feature: Feature) -> str:
    """The account of a new user."""
    found = feature("user", "create", WHO, "--json", stdin=PASSWORD.encode()).json()
    return str(found["account_id"])


def test_a_limit_is_given_listed_and_taken_back(feature: Feature) -> None:
    account = made(feature)
    first = feature("account", "grant", WHO, "jobs", "+50", "--reason", "a launch", "--json").json()
    assert (first["account_id"], first["kind"], first["amount"], first["state"]) == (account, "add", 50, "in_force")
    assert (first["created_by"], first["ends_at"]) == (None, None)
    until = feature(
        "account", "grant", account, "storage", "=5 GB", "--until", "2090-01-01", "--reason", "moving", "--json"
    ).json()
    assert (until["kind"], until["amount"], until["ends_at"]) == ("set", 5_000_000_000, "2090-01-01T00:00:00+00:00")
    open_ended = feature("account", "grant", account, "compute", "unlimited", "--reason", "a partner", "--json").json()
    assert (open_ended["kind"], open_ended["amount"]) == ("set", None)
    lines = feature("account", "overrides", account).stdout.splitlines()
    assert [line.split("  ")[2] for line in lines] == ["compute =unlimited", "storage =5,000 MB", "jobs +50 jobs"]
    assert feature("account", "take-back", first["id"], "--json").json()["state"] == "taken_back"
    listed = feature("account", "overrides", account, "--json").json()
    assert [one["state"] for one in listed] == ["in_force", "in_force", "taken_back"]
    assert "taken back" in feature("account", "take-back", first["id"]).stderr


def test_each_is_written_down(feature: Feature, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    account = made(feature)
    given = feature("account", "grant", account, "jobs", "=0", "--reason", "abuse", "--json").json()
    feature("account", "take-back", given["id"])
    found = rows(
        "SELECT action, actor_kind, target_id, reason FROM audit_events WHERE action LIKE 'account.%' ORDER BY id"
    )
    assert found == [
        ("account.overrides.create", "command", account, "abuse"),
        ("account.overrides.delete", "command", account, None),
    ]


def test_what_is_not_understood_is_said(feature: Feature) -> None:
    account = made(feature)
    for arguments, why in [
        ((account, "jobs", "50"), 'write "+50"'),
        ((account, "jobs", "+5 GB"), "not a unit of job"),
        ((account, "jobs", "+0"), "from 1 to"),
        ((account, "jobs", "=" + "9" * 400), "from 0 to"),
        ((account, "nothing", "+1"), "There are: "),
        ((account, "jobs", "+1", "--until", "2020-01-01"), "must be later"),
        ((account, "jobs", "+1", "--until", "tomorrow"), "is no time"),
        ((account, "jobs", "+1", "--until", "2090-01-01T00:00"), "has no offset"),
        (("nobody@example.com", "jobs", "+1"), "No user"),
        (("01920000-0000-7000-8000-000000000001", "jobs", "+1"), "No account"),
        (("external:nobody", "jobs", "+1"), "No account"),
        (("acme", "jobs", "+1"), "begins with external:"),
    ]:
        done = feature("account", "grant", *arguments, "--reason", "why")
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert why in done.stderr, arguments
    assert feature("account", "take-back", "first").returncode == 1
    assert "No override" in feature("account", "take-back", account).stderr
    assert feature("account", "grant", account, "jobs", "+1").returncode == 64, "without a reason"
    assert feature("account", "overrides", account).stdout == ""

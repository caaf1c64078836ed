"""Looking on in Chromium: what is spent and refused through the API appears without a reload, and the bars move."""

import json
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from backend.tests.e2e.product import API, WEB, Product
from backend.tests.e2e.screens import PASSWORD, confirmed, log_in, looked_at, overview

pytestmark = pytest.mark.browser

# A row is there a second after its commit, and is drawn at most once a second.
SOON = 8_000


def spender(client: httpx.Client, email: str) -> httpx.Client:
    """The same user elsewhere, as a program."""
    tokens = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD}).json()
    return httpx.Client(base_url=API, headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=20)


def spend(elsewhere: httpx.Client, amount: int, meter: str = "jobs") -> httpx.Response:
    return elsewhere.post("/v1/usage/consume", json={"meter": meter, "amount": amount})


def test_what_happens_elsewhere_appears_here(page: Page, client: httpx.Client) -> None:
    email = "grace.live@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.get_by_role("heading", name="Live", exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile("^Live$"))).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Nothing has happened in the last 15 minutes")).to_be_visible()
    looked_at(page, "live-empty", dark=True)

    with spender(client, email) as elsewhere:
        assert spend(elsewhere, 3).status_code == 200
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows.filter(has_text="Jobs").filter(has_text="+3")).to_be_visible(timeout=SOON)
        assert spend(elsewhere, 2_500_000, "storage").status_code == 200
        for _ in range(3):
            assert spend(elsewhere, 8).status_code == 402
        refused = rows.filter(has_text="Refused · Jobs: the limit is reached")
        expect(refused.first).to_be_visible(timeout=SOON)
        expect(refused.first).to_contain_text("3 of 10 used")
        expect(refused.first).to_contain_text("8 asked")
        expect(rows.filter(has_text="+2.5 MB")).to_be_visible(timeout=SOON)
        looked_at(page, "live", dark=True)

        # Paused, nothing moves; then it goes on where it was.
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Paused. Nothing new is shown")).to_be_visible()
        looked_at(page, "live-paused")
        assert spend(elsewhere, 4).status_code == 200
        page.wait_for_timeout(2_500)
        expect(rows.filter(has_text="+4")).to_have_count(0)
        page.get_by_role("button", name="Go on").click()
        expect(rows.filter(has_text="+4")).to_be_visible(timeout=SOON)
        expect(rows.filter(has_text="+3")).to_have_count(1)
        expect(page.get_by_text("Something is missing here")).to_have_count(0)

        # The bars move as well, without a reload and before they would be asked for again.
        page.get_by_role("link", name="Usage", exact=True).click()
        expect(page.get_by_text("7 of 10")).to_be_visible()
        page.wait_for_timeout(1_500)
        assert spend(elsewhere, 1).status_code == 200
        expect(page.get_by_text("8 of 10")).to_be_visible(timeout=6_000)
        looked_at(page, "usage-live", dark=True)
        page.get_by_role("link", name="See each use as it happens").click()
        expect(page.get_by_role("heading", name="Live", exact=True)).to_be_visible()


def test_any_day_and_any_number_fit(page: Page, product: Product, client: httpx.Client) -> None:
    email = "barbara.live@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.goto(f"{WEB}/app/live")
    expect(page.get_by_role("status").filter(has_text=re.compile("^Live$"))).to_be_visible(timeout=SOON)
    made = product.feature("key", "create", "reports", "--service", "--scope", "usage:write", "--json")
    host = {"Authorization": f"Bearer {json.loads(made)['key']}"}
    ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    huge = 10**15  # no amount is larger
    with spender(client, email) as elsewhere:
        account = elsewhere.get("/v1/auth/me").json()["account"]["id"]
        of = {"account_id": account, "meter": "jobs"}
        events = [{**of, "id": "early", "amount": 6, "timestamp": ago}, {**of, "id": "huge", "amount": huge}]
        reported = client.post("/v1/usage/events", json={"events": events}, headers=host)
        assert [item["status"] for item in reported.json()["items"]] == ["accepted", "accepted"]
        body = {"account_id": account, "amount": 12, "reason": "said too low"}
        assert client.post("/v1/usage/events/early/correct", json=body, headers=host).status_code == 200
        assert spend(elsewhere, huge).status_code == 402
        assert spend(elsewhere, 99_999_999).status_code == 402
        assert spend(elsewhere, 5, "storage").status_code == 200
        assert spend(elsewhere, 100_000_000, "storage").status_code == 402
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.filter(has_text=f"+{huge:,}")).to_be_visible(timeout=SOON)
    expect(rows.filter(has_text=f"{huge:,} asked")).to_be_visible(timeout=SOON)
    expect(rows.filter(has_text="corrected by +6")).to_be_visible(timeout=SOON)
    expect(rows.filter(has_text="+5 bytes")).to_be_visible(timeout=SOON)
    early = rows.filter(has_text="reported").filter(has_text="+6")
    expect(early).to_contain_text(re.compile(r"\d [A-Z][a-z]{2}, \d\d:\d\d:\d\d"))
    expect(page.get_by_text("In the order it came in, newest first")).to_be_visible()
    looked_at(page, "live-any", dark=True)
    # The banner of the same account, at home and on the page that it leads to.
    full = page.get_by_role("status").filter(has_text="Jobs: more has been refused since")
    expect(full.get_by_role("link", name="See usage")).to_be_visible(timeout=70_000)
    looked_at(page, "live-noticed")
    page.goto(f"{WEB}/app/usage")
    expect(full).to_contain_text("The count resets")
    expect(full.get_by_role("link", name="See usage")).to_have_count(0)
    looked_at(page, "usage-noticed", dark=True)
    # Six minutes of use tell nothing, whatever was reported of the days before.
    expect(page.get_by_text("On pace for")).to_have_count(0)


def test_an_interruption_is_said_and_passes(page: Page, client: httpx.Client) -> None:
    email = "edsger.live@example.com"
    confirmed(client, email)
    log_in(page, email)
    overview(page)
    page.goto(f"{WEB}/app/live")
    expect(page.get_by_role("status").filter(has_text=re.compile("^Live$"))).to_be_visible(timeout=SOON)
    with spender(client, email) as elsewhere:
        assert spend(elsewhere, 3).status_code == 200
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows.filter(has_text="+3")).to_be_visible(timeout=SOON)
        # Five live views of the same account elsewhere: this one cannot come back.
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(500)
        with httpx.Client(base_url=API, headers=elsewhere.headers, timeout=20) as others:
            streams = [others.send(others.build_request("GET", "/v1/usage/live"), stream=True) for _ in range(5)]
            assert {stream.status_code for stream in streams} == {200}
            page.get_by_role("button", name="Go on").click()
            expect(page.get_by_text("Too many live views are open")).to_be_visible(timeout=SOON)
            expect(page.get_by_text("Close one in another tab", exact=False)).to_be_visible()
            expect(page.get_by_text("5 live views of this account are open", exact=False)).to_be_visible()
            looked_at(page, "live-interrupted", dark=True)
            for stream in streams:
                stream.close()
        assert spend(elsewhere, 2).status_code == 200
        expect(rows.filter(has_text="+2")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("Too many live views are open")).to_have_count(0)

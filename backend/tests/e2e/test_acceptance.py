"""The acceptance list of the system, with a client of HTTP."""

import time

import httpx
import pytest

from backend.tests.e2e.product import API, WEB, Product, signed_in

PASSWORD = "a password of many words"


def test_a_new_user_meets_the_free_limit_and_goes_on_with_pro(product: Product, client: httpx.Client) -> None:
    with signed_in(client, "ada@example.com", PASSWORD) as me:
        _spend_all_and_go_on(product, me)


def _spend_all_and_go_on(product: Product, me: httpx.Client) -> None:
    found = me.get("/v1/auth/me").json()
    assert (found["email"], found["status"], found["plan"]["name"]) == ("ada@example.com", "active", "free")
    subscription = me.get("/v1/subscription/me").json()
    assert (subscription["subscription"], subscription["plan"]["name"]) == (None, "free")
    for used in range(1, 11):
        answer = me.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1})
        assert (answer.status_code, answer.json()["used"]) == (200, used)
    refused = me.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1})
    problem = refused.json()
    assert refused.status_code == 402
    assert refused.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["error"]) == ("quota_exceeded", "quota_exceeded")
    assert (problem["used"], problem["current"], problem["limit"]) == (10, 10, 10)
    assert problem["resets_at"] == me.get("/v1/subscription/usage").json()["meters"][1]["resets_at"].replace(
        "Z", "+00:00"
    )
    assert [fix["kind"] for fix in problem["fixes"]] == ["wait", "upgrade"]
    assert problem["upgrade_url"].startswith(WEB)
    assert int(refused.headers["retry-after"]) == problem["retry_after"]

    product.feature("user", "set-plan", "ada@example.com", "pro")
    passed = me.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1})
    assert (passed.status_code, passed.json()["plan"], passed.json()["limit"]) == (200, "pro", 500)
    now = me.get("/v1/subscription/me").json()
    assert (now["subscription"]["status"], now["plan"]["name"]) == ("active", "pro")
    usage = me.get("/v1/subscription/usage").json()
    assert (usage["usage"]["jobs_created"], usage["limits"]["jobs"]) == (1, 500)


@pytest.mark.alone
def test_rate_limits_differ_between_free_and_pro(product: Product, client: httpx.Client) -> None:
    for email, plan, requests in (("rate.free@example.com", "free", 100), ("rate.pro@example.com", "pro", 500)):
        with signed_in(client, email, PASSWORD) as me:
            if plan != "free":
                product.feature("user", "set-plan", email, plan)
            _pass_exactly(me, plan, requests)


def _pass_exactly(me: httpx.Client, plan: str, requests: int) -> None:
    info = me.get("/v1/subscription/rate-limits").json()
    assert (info["plan_name"], info["effective_limit"], info["base_limit"]) == (plan, requests, 100)
    began = time.monotonic()
    passed, refused = 1, None
    while refused is None:
        answer = me.get("/v1/subscription/me")
        if answer.status_code == 429:
            refused = answer
        else:
            assert answer.status_code == 200
            passed += 1
    refilled = (time.monotonic() - began) * requests / 60
    assert requests <= passed <= requests + refilled + 1
    wait = int(refused.headers["retry-after"])
    assert refused.json()["code"] == "rate_limited"
    assert wait == refused.json()["retry_after"] == 1
    time.sleep(wait)
    assert me.get("/v1/subscription/me").status_code == 200


def test_the_calls_of_the_banner_work_as_they_stand(product: Product) -> None:
    ping = product.shell(product.banner("A metered call"))
    assert "200 OK" in ping.stdout
    assert '"message":"pong"' in ping.stdout
    assert "ratelimit: " in ping.stdout.lower()
    refused = product.shell(product.banner("A refused one"))
    assert '"code": "quota_exceeded"' in refused.stdout


def test_plans_are_public_and_complete(client: httpx.Client) -> None:
    plans = {plan["name"]: plan for plan in client.get("/v1/subscription/plans").json()["plans"]}
    assert list(plans) == ["free", "pro", "enterprise"]
    assert [plan["price_cents"] for plan in plans.values()] == [0, 1999, 9999]
    assert [plan["max_jobs_per_month"] for plan in plans.values()] == [10, 500, None]
    assert [plan["rate_limit_multiplier"] for plan in plans.values()] == [1, 5, 10]


def test_both_ports_answer_on_both_loopback_names(product: Product) -> None:
    for base in (API, WEB, "http://127.0.0.1:8000", "http://127.0.0.1:5173"):
        assert httpx.get(f"{base}/health").json()["status"] == "ok"
    for path in ("/docs", "/openapi.json", "/dev/mail", "/v1/subscription/plans"):
        assert httpx.get(f"{WEB}{path}").status_code == 200

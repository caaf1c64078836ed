"""The described commands, typed as they stand after `eval "$(.venv/bin/feature env)"`."""

import json
import time

import httpx
import pytest

from backend.core.settings import REPOSITORY
from backend.tests.e2e.product import API, Product

_VERSIONS = REPOSITORY / "alembic" / "versions"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("alembic upgrade head", ""),
        ("python backend/scripts/seed_subscription_plans.py", "nothing to change"),
        ("for _ in 1 2; do python backend/scripts/seed_subscription_plans.py; done", "nothing to change"),
        ('psql -d feature_db -c "\\dt"', "subscription_plans"),
        ('psql -d feature_db -c "SELECT * FROM subscription_plans;"', "enterprise"),
        ("curl -s http://localhost:8000/health", '"status":"ok"'),
        ("curl -s http://localhost:5173", "<title>Feature Platform"),
        ("feature plans plan", ""),
        ("feature doctor || true", "at the newest"),
    ],
)
def test_it_works_as_it_stands(product: Product, command: str, expected: str) -> None:
    done = product.shell(command)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_the_described_test_passes(product: Product) -> None:
    done = product.shell("pytest backend/tests/test_subscription_service.py -q -p no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.alone  # while it is there, every other command misses a migration
def test_a_new_revision_is_a_file_that_imports(product: Product) -> None:
    before = set(_VERSIONS.glob("*.py"))
    done = product.shell("alembic revision -m x")
    made = set(_VERSIONS.glob("*.py")) - before
    try:
        assert done.returncode == 0, done.stderr
        assert len(made) == 1
        source = made.copy().pop().read_text()
        names: dict[str, object] = {}
        exec(compile(source, "revision", "exec"), names)
        assert names["down_revision"] in {path.name.split("_")[0] for path in before}
    finally:
        for path in made:
            path.unlink()


def test_keys_are_made_used_and_revoked(product: Product) -> None:
    product.feature("user", "create", "keys@example.com", stdin="a password of many words\n")
    made = json.loads(product.feature("key", "create", "ci", "--account", "keys@example.com", "--json"))
    assert set(made) == {"id", "key", "prefix", "scopes"}
    call = f'curl -s -o /dev/null -w "%{{http_code}}" -H "Authorization: Bearer {made["key"]}" localhost:8000/v1/ping'
    assert product.shell(call).stdout == "200"
    product.feature("key", "revoke", made["id"])
    assert product.shell(call).stdout == "401"
    service = json.loads(product.feature("key", "create", "host", "--service", "--scope", "usage:write", "--json"))
    assert service["scopes"] == ["usage:write"]


def test_an_operators_act_is_sealed_and_verified(product: Product) -> None:
    """Through the running application and its worker: from the act to a log that a command confirms."""
    create = "echo 'a password of many words' | feature user create op@example.com --superadmin --json"
    made = json.loads(product.shell(create).stdout)
    password = {"email": "op@example.com", "password": "a password of many words"}
    token = httpx.post(f"{API}/v1/auth/login", json=password).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{API}/v1/admin/users/{made['id']}"
    assert httpx.patch(url, json={"name": "Olga"}, headers=headers).status_code == 200
    acts = httpx.get(f"{API}/v1/admin/audit-logs", params={"target_id": made["id"]}, headers=headers).json()["items"]
    assert [act["action"] for act in acts] == ["user.edit", "user.create"]
    deadline = time.monotonic() + 20
    while (found := json.loads(product.feature("audit", "verify", "--json")))["unsealed"]:
        assert time.monotonic() < deadline
    assert found["ok"]
    assert found["events"] >= 2
    assert product.feature("audit", "verify", "--noted", found["head"])

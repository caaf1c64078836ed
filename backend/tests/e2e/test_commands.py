"""The described commands, typed as they stand after `eval "$(.venv/bin/feature env)"`."""

import json

import pytest

from backend.core.settings import REPOSITORY
from backend.tests.e2e.product import Product

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

"""Settings: read from the environment, checked, and refused by name where they would be unsafe."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.core.settings import Settings

SAFE: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql://feature:secret@db.example.com/feature_db",
    "jwt_jwk_current": '{"kty": "EC"}',
    "encryption_keys": "a:secret",
    "smtp_host": "smtp.example.com",
    "api_base_url": "https://api.example.com",
    "frontend_base_url": "https://app.example.com",
    "email_from_address": "billing@example.com",
}


def read(**given: Any) -> Settings:
    """Settings that no `.env` changes."""
    return Settings(_env_file=None, **given)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_development_needs_nothing() -> None:
    settings = read()
    assert settings.production_problems() == []
    assert settings.frontend_base_url == "http://localhost:5173"
    assert (settings.jwt_access_ttl_seconds, settings.jwt_refresh_ttl_seconds) == (420, 30 * 86_400)


def test_production_with_all_that_it_needs_has_no_problem() -> None:
    assert read(**SAFE).production_problems() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", None),
        ("jwt_jwk_current", None),
        ("encryption_keys", None),
        ("smtp_host", None),
        ("api_base_url", "http://api.example.com"),
        ("api_base_url", "http://localhost:8000"),
        ("frontend_base_url", "http://localhost:5173"),
        ("email_from_address", "no-reply@localhost"),
    ],
)
def test_production_names_each_development_default(name: str, value: str | None) -> None:
    (problem,) = read(**{**SAFE, name: value}).production_problems()
    assert problem.startswith(name.upper())


def test_production_names_all_of_them_at_once() -> None:
    named = [problem.split()[0] for problem in read(environment="production").production_problems()]
    assert named == [
        "DATABASE_URL",
        "JWT_JWK_CURRENT",
        "ENCRYPTION_KEYS",
        "SMTP_HOST",
        "API_BASE_URL",
        "FRONTEND_BASE_URL",
        "EMAIL_FROM_ADDRESS",
    ]


def test_the_embedded_server_in_production_is_a_decision() -> None:
    assert read(**{**SAFE, "database_url": None, "database_allow_embedded": True}).production_problems() == []


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATURE_HOME", "/srv/feature")
    monkeypatch.setenv("RATE_LIMIT_ALLOWLIST", "127.0.0.1, 10.0.0.0/8,::1")
    monkeypatch.setenv("TRUSTED_PROXIES", "")
    monkeypatch.setenv("API_BASE_URL", "https://api.example.com/")
    monkeypatch.setenv("QUOTA_STATUS", "429")
    monkeypatch.setenv("SMTP_PASS", "hunter2")
    settings = read()
    assert settings.feature_home == Path("/srv/feature")
    assert settings.rate_limit_allowlist == tuple(map(ip_network, ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]))
    assert settings.trusted_proxies == ()
    assert settings.api_base_url == "https://api.example.com"
    assert settings.quota_status == 429
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("RATE_LIMIT_DENYLIST", "not-an-address"),
        ("RATE_LIMIT_DEFAULT_REQUESTS", "0"),
        ("QUOTA_STATUS", "500"),
        ("WEB_PROCESSES", "0"),
        ("JWT_ACCESS_TTL_SECONDS", "seven minutes"),
        ("LOG_LEVEL", "CHATTY"),
        ("SUPPORT_CONTACT", "javascript:alert(1)"),
        ("SUPPORT_CONTACT", "http://example.com/help"),
        ("SUPPORT_CONTACT", "a@example.com?bcc=b@example.com"),
        ("DATABASE_DURABILITY", "off"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        read()


@pytest.mark.parametrize(
    ("value", "contact"),
    [
        ("", None),
        ("help@example.com", "mailto:help@example.com"),
        ("https://example.com/help", "https://example.com/help"),
    ],
)
def test_a_contact_becomes_a_link(monkeypatch: pytest.MonkeyPatch, value: str, contact: str | None) -> None:
    monkeypatch.setenv("SUPPORT_CONTACT", value)
    assert read().support_contact == contact


def test_settings_do_not_change_under_way() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(read(), "environment", "production")  # noqa: B010 - plainly written, a type checker refuses it


@pytest.mark.parametrize(("store", "processes", "memory"), [("auto", 1, True), ("auto", 4, False), ("memory", 4, True)])
def test_one_process_keeps_its_rate_limits_itself(store: str, processes: int, memory: bool) -> None:
    assert read(rate_limit_store=store, web_processes=processes).uses_memory_rate_store is memory

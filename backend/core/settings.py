"""Settings: read once from the environment or `.env`, checked, and handed down. Only edges call `get_settings`."""

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from backend.core.trusted_issuer import TrustedIssuer, ensure_apart

REPOSITORY = Path(__file__).resolve().parents[2]

LEAST_EVENT_MONTHS, MOST_EVENT_MONTHS = 14, 1_200

Network = IPv4Network | IPv6Network
NetworkList = Annotated[tuple[Network, ...], NoDecode]


class Settings(BaseSettings):
    """All that can be set. Each has a working default in development; production refuses what is unsafe there."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    environment: Literal["development", "test", "production"] = "development"
    feature_home: Path = REPOSITORY / "var"
    plans_file: Path = REPOSITORY / "plans.toml"
    database_url: SecretStr | None = None
    database_durability: Literal["verify", "provider"] = "verify"
    database_allow_embedded: bool = False
    database_pool_size: int = Field(default=16, ge=1, le=200)
    api_base_url: str = "http://localhost:8000"
    frontend_base_url: str = "http://localhost:5173"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    jwt_jwk_current: SecretStr | None = None
    jwt_jwk_next: SecretStr | None = None
    jwt_jwk_previous: SecretStr | None = None
    jwt_previous_grace_seconds: int = Field(default=86_400, ge=0)
    jwt_access_ttl_seconds: int = Field(default=420, ge=30, le=3_600)
    jwt_refresh_ttl_seconds: int = Field(default=30 * 86_400, ge=600)
    jwt_issuer: str = "feature-auth"
    jwt_audience: str = "feature-auth-clients"

    encryption_keys: SecretStr | None = None
    encryption_key_active: str | None = None
    trusted_issuers: tuple[TrustedIssuer, ...] = ()

    argon2_time_cost: int = Field(default=3, ge=1, le=10)
    argon2_memory_kib: int = Field(default=65_536, ge=8, le=1_048_576)
    argon2_parallelism: int = Field(default=4, ge=1, le=16)
    argon2_workers: int = Field(default=2, ge=1, le=16)

    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_use_tls: bool = True
    smtp_user: str | None = None
    smtp_pass: SecretStr | None = None
    email_from_address: str = "no-reply@localhost"
    email_from_name: str = "Feature Platform"
    support_contact: str | None = None

    rate_limit_default_requests: int | None = Field(default=None, ge=1)
    rate_limit_default_window_seconds: int | None = Field(default=None, ge=1)
    rate_limit_allowlist: NetworkList = ()
    rate_limit_denylist: NetworkList = ()
    rate_limit_store: Literal["auto", "memory", "postgresql"] = "auto"
    trusted_proxies: NetworkList = ()
    quota_status: Literal[402, 429] = 402
    web_processes: int = Field(default=1, ge=1, le=64)
    live_stream_seconds: float = Field(default=900, gt=0, le=3_600)
    usage_events_kept_months: int | None = None
    denials_kept_days: int = Field(default=90, ge=1, le=36_500)
    impersonation_tells_user: bool = True
    audit_kept_days: int = Field(default=730, ge=30, le=36_500)

    @field_validator("rate_limit_allowlist", "rate_limit_denylist", "trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        """Reads `10.0.0.0/8, 127.0.0.1`: addresses or networks, separated by commas."""
        if isinstance(value, str):
            return tuple(ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_issuers")
    @classmethod
    def _issuers_apart(cls, value: tuple[TrustedIssuer, ...], info: ValidationInfo) -> tuple[TrustedIssuer, ...]:
        ensure_apart(value)
        own = info.data.get("jwt_issuer")
        if any(issuer.issuer == own for issuer in value):
            raise ValueError(f"{own} is our own JWT_ISSUER: tokens of ours would be taken for another's")
        return value

    @field_validator("quota_status", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """The environment knows text only, and a choice of numbers reads none."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("usage_events_kept_months", mode="before")
    @classmethod
    def _for_ever(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("usage_events_kept_months")
    @classmethod
    def _long_enough(cls, value: int | None) -> int | None:
        if value is not None and not LEAST_EVENT_MONTHS <= value <= MOST_EVENT_MONTHS:
            raise ValueError(
                f"USAGE_EVENTS_KEPT_MONTHS is {LEAST_EVENT_MONTHS} to {MOST_EVENT_MONTHS}, or unset to keep events for"
                " ever: they are the evidence of bills, and corrections find them by ids that live 400 days"
            )
        return value

    @field_validator("support_contact")
    @classmethod
    def _contact(cls, value: str | None) -> str | None:
        """A page, or an address that becomes one: shown as a link, so nothing else may be in it."""
        if value is None or not value.strip():
            return None
        if value.startswith("https://"):
            return value
        if re.fullmatch(r"[^\s@<>:?&]+@[^\s@<>:?&]+", value):
            return f"mailto:{value}"
        raise ValueError("SUPPORT_CONTACT is an e-mail address or an https:// page")

    @field_validator("api_base_url", "frontend_base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def uses_memory_rate_store(self) -> bool:
        """One process keeps its buckets itself; several share them in PostgreSQL."""
        if self.rate_limit_store == "auto":
            return self.web_processes == 1
        return self.rate_limit_store == "memory"

    def production_problems(self) -> list[str]:
        """What must be set before this may run in production, each with its cure; empty elsewhere."""
        if not self.is_production:
            return []
        problems = []
        if self.database_url is None and not self.database_allow_embedded:
            problems.append(
                "DATABASE_URL is not set: name your PostgreSQL (15 or newer), "
                "or set DATABASE_ALLOW_EMBEDDED=true to run on the embedded one"
            )
        if self.jwt_jwk_current is None:
            problems.append("JWT_JWK_CURRENT is not set: the key made on first run is for development")
        if self.encryption_keys is None:
            problems.append("ENCRYPTION_KEYS is not set: the key made on first run is for development")
        if self.smtp_host is None:
            problems.append("SMTP_HOST is not set: mail would go to the development mailbox")
        for name in ("api_base_url", "frontend_base_url"):
            value = getattr(self, name)
            if not value.startswith("https://"):
                problems.append(f"{name.upper()} is {value}: it must be an https:// address")
        if self.email_from_address.endswith("@localhost"):
            problems.append("EMAIL_FROM_ADDRESS is not set: mail needs a sender of your domain")
        return problems


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process. For edges only (app, worker, commands); everything else is given them."""
    return Settings()

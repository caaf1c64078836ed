"""Sign-in on a test database, and users who have a password."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sqlalchemy import text

from backend.auth.service.auth_service import AuthService
from backend.auth.service.credentials import Credentials, Presented
from backend.auth.service.issuers import TrustedIssuers
from backend.auth.service.own_security import OwnSecurity
from backend.auth.service.registration_service import RegistrationService
from backend.auth.service.reset_service import ResetService
from backend.auth.service.second_factor import SecondFactor
from backend.auth.service.sessions import TokenPair
from backend.core.settings import Settings
from backend.db.session import Database
from backend.security.encryption import Encryption, new_ring
from backend.security.jwt_service import JwtService
from backend.security.passwords import Passwords
from backend.security.signing_keys import new_jwk
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW

PASSWORD = "a long walk to the lighthouse"
HERE = IPv4Address("192.0.2.1")

# The smallest that argon2 takes: what is tested is who may sign in, not how long hashing takes.
QUICK = {"argon2_time_cost": 1, "argon2_memory_kib": 8, "argon2_parallelism": 1}

_JWK = new_jwk()
_KEYS = new_ring()


def settings_for_tests(**changes: Any) -> Settings:
    """Settings that no environment and no `.env` changes."""
    given = {"environment": "test", "jwt_jwk_current": _JWK, "encryption_keys": _KEYS, **QUICK, **changes}
    return Settings(_env_file=None, **given)


@dataclass(frozen=True)
class SignIn:
    """The services of sign-in, on one database."""

    database: Database
    settings: Settings
    jwt: JwtService
    passwords: Passwords
    auth: AuthService
    security: OwnSecurity
    resets: ResetService
    registration: RegistrationService
    credentials: Credentials

    async def user(
        self, *, status: str = "active", email: str | None = None, password: str | None = PASSWORD
    ) -> Person:
        """A committed user."""
        password_hash = None if password is None else await self.passwords.hash(password)
        async with self.database.system() as session:
            return await person(session, status=status, email=email, password_hash=password_hash)

    async def login(self, email: str, password: str = PASSWORD, *, now: datetime = NOW, last: int = 1) -> TokenPair:
        """Signs in from the address 192.0.2.`last`."""
        address = IPv4Address(f"192.0.2.{last}")
        found = await self.auth.login(email=email, password=password, address=address, user_agent=None, now=now)
        assert isinstance(found, TokenPair), "a second factor is asked for"
        return found

    async def resolve(self, authorization: str | None, *, now: datetime = NOW, account: str | None = None) -> Any:
        """What the layer around the application makes of a credential."""
        presented = await self.credentials.present(authorization, now=now)
        if not isinstance(presented, Presented):
            return presented
        async with self.database.read() as session:
            return await self.credentials.resolve(session, presented, account=account, now=now)

    async def register(self, email: str, password: str = PASSWORD, *, now: datetime = NOW, last: int = 1) -> None:
        """Registers from the address 192.0.2.`last`."""
        address = IPv4Address(f"192.0.2.{last}")
        await self.registration.register(email=email, password=password, address=address, now=now)

    async def scalar(self, query: str, **values: Any) -> Any:
        async with self.database.read() as session:
            return await session.scalar(text(query), values)


@contextlib.asynccontextmanager
async def sign_in_on(database: Database, **changes: Any) -> AsyncIterator[SignIn]:
    """The services with quick passwords; `changes` are settings."""
    settings = settings_for_tests(feature_home=Path("/nonexistent"), **changes)
    jwt, passwords = JwtService.from_settings(settings), Passwords.from_settings(settings)
    second_factor = SecondFactor(Encryption.from_settings(settings))
    shared: dict[str, Any] = {"database": database, "passwords": passwords, "settings": settings}
    try:
        yield SignIn(
            database=database,
            settings=settings,
            jwt=jwt,
            passwords=passwords,
            auth=AuthService(**shared, jwt=jwt, second_factor=second_factor),
            security=OwnSecurity(**shared, second_factor=second_factor),
            resets=ResetService(**shared),
            registration=RegistrationService(database=database, passwords=passwords, settings=settings),
            credentials=Credentials(jwt, TrustedIssuers(settings.trusted_issuers)),
        )
    finally:
        passwords.close()

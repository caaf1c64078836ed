"""The web application: what it consists of, put together."""

import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import structlog
from alembic.script import ScriptDirectory
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.admin.api import bulk_routes, given_routes, health_routes, note_routes, plan_routes
from backend.admin.api import decision_routes as admin_decision_routes
from backend.admin.api import override_routes as admin_override_routes
from backend.admin.api import platform_routes as admin_platform_routes
from backend.admin.api import stream_routes as admin_stream_routes
from backend.admin.api import user_routes as admin_user_routes
from backend.admin.statistics import Counting
from backend.admin.watching import Watching
from backend.auth.api import key_routes, security_routes
from backend.auth.api import routes as auth_routes
from backend.auth.errors import Unauthenticated
from backend.auth.service.auth_service import AuthService
from backend.auth.service.confirmations import Confirmations
from backend.auth.service.credentials import Credentials
from backend.auth.service.issuers import TrustedIssuers
from backend.auth.service.key_uses import KeyUses
from backend.auth.service.own_security import OwnSecurity
from backend.auth.service.registration_service import RegistrationService
from backend.auth.service.reset_service import ResetService
from backend.auth.service.second_factor import SecondFactor
from backend.auth.service.sessions import Sessions
from backend.catalog.service import Catalogs
from backend.core import log
from backend.core.clock import Clock, SystemClock
from backend.core.problem import PROBLEM_SCHEMA, install_handlers, problem_responses
from backend.core.settings import Settings, get_settings
from backend.db import migrate
from backend.db.session import UNAVAILABLE, Database, is_unavailable
from backend.enforcement.admission import Admission
from backend.enforcement.api import (
    decision_routes,
    event_routes,
    live_routes,
    notice_routes,
    reading_routes,
    series_routes,
    verify_routes,
)
from backend.enforcement.api import routes as usage_routes
from backend.enforcement.api.event_schemas import SCHEMAS as EVENT_SCHEMAS
from backend.enforcement.denials import Denials
from backend.enforcement.engine import Engine
from backend.enforcement.errors import (
    AccountSuspended,
    AddressDenied,
    HeadersTooLarge,
    ImpersonationLocked,
    ImpersonationReadOnly,
    RateLimited,
)
from backend.enforcement.gate import Gate
from backend.enforcement.impersonation import Impersonations
from backend.enforcement.ingest import Ingest
from backend.enforcement.layer import EnforcementLayer
from backend.enforcement.live import Live
from backend.enforcement.passes import Passes
from backend.enforcement.paths import Paths
from backend.enforcement.treasury import Treasury
from backend.gateway.api import routes as gateway_routes
from backend.gateway.denials import Sealer
from backend.gateway.front import GATEWAY, Front
from backend.mail.api import routes as mail_routes
from backend.ratelimit.fallback import FallbackRateStore
from backend.ratelimit.leases import LeasedRateStore
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.postgres import PostgresRateStore
from backend.ratelimit.store import RateStore
from backend.security.encryption import Encryption
from backend.security.jwt_service import JwtService
from backend.security.passwords import Passwords
from backend.stack import Stack
from backend.subscription.api import account_routes
from backend.subscription.api import routes as subscription_routes
from backend.system.api import reference
from backend.system.api import routes as system_routes
from backend.system.readiness import reasons_against

VERSION = "0.1.0"
_RATE_STORE_PATIENCE = 2.0
# Metrics are at /metrics. Without an exporter, looking for one takes a tenth of a small request.
_NO_TRACING: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

# Routes are looked for in this order: first what is called most.
_ROUTERS = (
    usage_routes.router,
    event_routes.router,
    series_routes.router,
    live_routes.router,
    notice_routes.router,
    decision_routes.router,
    verify_routes.router,
    gateway_routes.router,
    system_routes.router,
    reference.router,
    auth_routes.router,
    security_routes.router,
    key_routes.router,
    subscription_routes.router,
    subscription_routes.me_router,
    account_routes.router,
    reading_routes.router,
    admin_user_routes.router,
    admin_platform_routes.router,
    admin_stream_routes.router,
    health_routes.router,
    admin_override_routes.router,
    admin_decision_routes.router,
    given_routes.router,
    note_routes.router,
    plan_routes.router,
    bulk_routes.router,
)

logger = structlog.get_logger(__name__)


class Application(FastAPI):
    """FastAPI with the enforcement layer around its finished stack, the part that renders 500s included.

    What proxies ask is answered before all that, where it can be.
    """

    admission: Admission
    denials: Denials
    impersonations: Impersonations
    front: Front
    gate: Gate
    live: Live
    watching: Watching
    clock: Clock
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await (self.front if scope["path"].startswith(GATEWAY) else self.middleware_stack)(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the front does not answer itself."""
        assert self.middleware_stack is not None
        await self.middleware_stack(scope, receive, send)

    def end_streams(self) -> None:
        """Answers that would go on end, so that nobody waits for them."""
        self.live.end()
        self.watching.end()

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = Stack(self)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return EnforcementLayer(
            app,
            admission=self.admission,
            gate=self.gate,
            denials=self.denials,
            impersonations=self.impersonations,
            settings=self.settings,
            clock=self.clock,
        )

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def create_app(settings: Settings | None = None, *, clock: Clock | None = None) -> FastAPI:
    """The application on the database that the settings name. Raises ValueError for settings that cannot work."""
    settings = settings or get_settings()
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set. `feature serve` starts the embedded PostgreSQL and sets it.")
    if problems := settings.production_problems():
        raise ValueError("ENVIRONMENT=production refuses to start: " + "; ".join(problems))
    log.configure(settings.log_level, json=settings.is_production)
    database = Database(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)
    app = Application(
        title="Feature Platform",
        version=VERSION,
        description="Plans, quotas, rate limits and usage, exact under load. Errors are RFC 9457 problem documents.",
        docs_url=None,  # the reference of backend/system draws itself without the internet
        redoc_url=None,
        lifespan=_lifespan,
        telemetry=_NO_TRACING,
    )
    app.settings, app.clock = settings, clock or SystemClock()
    app.state.settings, app.state.database = settings, database
    app.state.errors_url = settings.api_base_url
    app.state.schema_head = ScriptDirectory.from_config(migrate.config("")).get_current_head()
    jwt, encryption = JwtService.from_settings(settings), Encryption.from_settings(settings)
    _add_enforcement(app, database, jwt, encryption)
    _add_sign_in(app, database, jwt, encryption)
    install_handlers(app, foreign=UNAVAILABLE, is_unavailable=is_unavailable)
    # They stand in the application's own list, for a router that is included looks for its route twice, in every
    # request.
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    if not settings.is_production:
        app.router.routes.extend(mail_routes.router.routes)
    app.state.paths = Paths(route.path for route in app.routes if isinstance(route, APIRoute))
    return app


def _add_enforcement(app: Application, database: Database, jwt: JwtService, encryption: Encryption) -> None:
    """Who may call, how often, and what it costs."""
    settings, catalogs = app.settings, Catalogs()
    rates, uses = _rate_store(settings, database), KeyUses(database)
    passes = Passes(catalogs, note=uses.note)
    treasury = Treasury(database, settings.feature_home / "journal", passes)
    engine = Engine(database, catalogs, upgrade_url=f"{settings.frontend_base_url}/app/plans", treasury=treasury)
    sealer, credentials = Sealer(encryption), Credentials(jwt, TrustedIssuers(settings.trusted_issuers))
    app.admission = Admission(
        settings=settings,
        database=database,
        catalogs=catalogs,
        credentials=credentials,
        rates=rates,
        uses=uses,
    )
    app.gate = Gate(
        engine=engine,
        passes=passes,
        rates=rates,
        treasury=treasury,
        looks_at_addresses=bool(settings.rate_limit_denylist),
    )
    app.denials, app.live = Denials(database), Live(database, catalogs, app.clock)
    app.watching = app.state.watching = Watching(database, app.clock)
    app.impersonations = Impersonations(database)
    app.front = Front(app.answer, gate=app.gate, sealer=sealer, clock=app.clock)
    app.state.catalogs, app.state.engine, app.state.treasury = catalogs, engine, treasury
    app.state.rates, app.state.sealer, app.state.denials = rates, sealer, app.denials
    app.state.encryption, app.state.key_uses = encryption, uses
    app.state.admission, app.state.gate = app.admission, app.gate
    app.state.ingest, app.state.live, app.state.credentials = Ingest(database, catalogs), app.live, credentials


def _add_sign_in(app: Application, database: Database, jwt: JwtService, encryption: Encryption) -> None:
    """Users, their passwords and their second factors."""
    settings, passwords, second_factor = app.settings, Passwords.from_settings(app.settings), SecondFactor(encryption)
    app.state.passwords, app.state.second_factor = passwords, second_factor
    app.state.statistics = Counting(database)
    app.state.sessions = Sessions.from_settings(jwt, settings)
    app.state.auth = AuthService(
        database=database, passwords=passwords, jwt=jwt, second_factor=second_factor, settings=settings
    )
    app.state.own_security = OwnSecurity(
        database=database, passwords=passwords, second_factor=second_factor, settings=settings
    )
    app.state.resets = ResetService(database=database, passwords=passwords, settings=settings)
    app.state.registration = RegistrationService(database=database, passwords=passwords, settings=settings)
    app.state.confirmations = Confirmations(settings)


def serving() -> FastAPI:
    """The application for a process that does nothing else, as servers start it.

    What is there when it begins stays to the end: the search for cycles of garbage leaves it out from now on.
    """
    app = create_app()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    return app


def _rate_store(settings: Settings, database: Database) -> RateStore:
    if settings.uses_memory_rate_store:
        return MemoryRateStore()
    # As long as a request may wait for its turn at one account's row; less would take a burst for a failure.
    shared = LeasedRateStore(PostgresRateStore(open_session=database.system), database.url)
    return FallbackRateStore(shared, settings.web_processes, patience=_RATE_STORE_PATIENCE)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    for reason in await reasons_against(app.state.database, app.state.settings, head=app.state.schema_head):
        logger.warning("not_ready", reason=reason)
    await app.state.treasury.start()
    try:
        yield
    finally:
        await app.state.live.close()
        await app.state.watching.close()
        await app.state.engine.close()
        await app.state.treasury.stop()
        app.state.passwords.close()
        await app.state.ingest.close()
        await app.state.denials.close()
        await app.state.key_uses.close()
        await app.state.rates.close()
        await app.state.database.close()


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Adds what is the same for every route: the shape of a problem, and who must be signed in."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update({"Problem": PROBLEM_SCHEMA, **EVENT_SCHEMAS})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                _add_answers_of_the_layer(operation["responses"])
            # Sign-in answers 401 about what is in its body; it needs no credential.
            if Unauthenticated.code in operation["responses"].get("401", {}).get("description", ""):
                operation["security"] = [{"bearer": []}]
    return document


def _add_answers_of_the_layer(responses: dict[str, Any]) -> None:
    """What any route below /v1/ may answer before it runs, beside what it states itself."""
    impersonation = (ImpersonationLocked, ImpersonationReadOnly)
    anywhere = (AccountSuspended, AddressDenied, HeadersTooLarge, RateLimited, *impersonation)
    for status, added in problem_responses(*anywhere).items():
        stated = responses.setdefault(str(status), added)
        known = stated["description"].split("; ")
        missing = [text for text in added["description"].split("; ") if text not in known]
        if missing:
            responses[str(status)] = {**stated, "description": "; ".join([*known, *missing])}

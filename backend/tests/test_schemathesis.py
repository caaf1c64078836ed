"""Whatever the OpenAPI document allows, and some of what it does not: no 5xx, and answers as it says."""

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.db.session import Database
from backend.tests.faults.people import customer, service_headers
from backend.tests.faults.server import Server

pytestmark = pytest.mark.faults

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def credentials(database: Database, role: str) -> dict[str, str]:
    if role == "anonymous":
        return {}
    if role == "service":
        return await service_headers(database)
    return (await customer(database, plan="enterprise")).headers


def explore(server: Server, headers: dict[str, str], examples: int) -> int:
    """Calls every operation; returns how many there are."""
    schema = schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    for operation in operations:
        strategy = st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize="FEATURE_SEED" not in os.environ,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        )
        @given(case=strategy)
        def call(case: "schemathesis.Case[Any]") -> None:
            case.call_and_validate(base_url=server.base_url, headers=headers, checks=CHECKS, timeout=20)

        call()
    return len(operations)


async def run(database: Database, database_url: str, home: Path, role: str, examples: int) -> None:
    headers = await credentials(database, role)
    async with database.engine.begin() as connection:
        # A plan without a rate limit, as far as a test is concerned.
        await connection.exec_driver_sql(
            """UPDATE catalog_state SET applied_at = now(),
            rate_limits = '{"api": {"requests": 100000, "per_seconds": 1, "burst": 100000}}'"""
        )
    server = Server(database_url, home)
    server.start()
    try:
        assert explore(server, headers, examples) >= 20
    finally:
        server.stop()


@pytest.mark.parametrize("role", ["anonymous", "user", "service"])
async def test_no_input_breaks_the_api(database: Database, database_url: str, tmp_path: Path, role: str) -> None:
    await run(database, database_url, tmp_path, role, examples=10)


@pytest.mark.prove
@pytest.mark.parametrize("role", ["anonymous", "user", "service"])
async def test_no_input_breaks_the_api_at_length(
    database: Database, database_url: str, tmp_path: Path, role: str
) -> None:
    await run(database, database_url, tmp_path, role, examples=1_000)

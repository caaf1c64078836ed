"""/health, /healthz, /readyz, /metrics and /errors/{code}."""

import html
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from backend.auth.api.deps import CurrentDatabase, CurrentSettings
from backend.core.errors import NotFound
from backend.core.problem import StrictRoute, problem_responses
from backend.system.meanings import meanings
from backend.system.readiness import reasons_against

router = APIRouter(tags=["System"], route_class=StrictRoute)


class Health(BaseModel):
    """This process answers."""

    status: Literal["ok"] = "ok"
    environment: str
    version: str
    contact: str | None = Field(description="Where customers reach whoever runs this: a mailto: or https: address.")


class Readiness(BaseModel):
    """Whether requests may be sent here; `reasons` say why not, `notes` what works less well than it should."""

    ready: bool
    reasons: list[str]
    notes: list[str] = []


@router.get("/health")
async def health(request: Request, settings: CurrentSettings) -> Health:
    """Whether this process answers; asks nobody else."""
    return Health(environment=settings.environment, version=request.app.version, contact=settings.support_contact)


@router.get("/healthz")
async def healthz(request: Request, settings: CurrentSettings) -> Health:
    """The same, under the name that orchestrators know."""
    return await health(request, settings)


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready"}})
async def readyz(request: Request, database: CurrentDatabase, settings: CurrentSettings) -> JSONResponse:
    """Whether the database answers, is migrated, and keeps what it acknowledges."""
    reasons = await reasons_against(database, settings, head=request.app.state.schema_head)
    problem: str | None = request.app.state.treasury.problem
    found = Readiness(ready=not reasons, reasons=reasons, notes=[problem] if problem else [])
    return JSONResponse(found.model_dump(), status_code=503 if reasons else 200)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics() -> Response:
    """What this process has counted, for Prometheus."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/errors/{code}", response_class=HTMLResponse, responses=problem_responses(NotFound))
async def explain_error(code: str) -> HTMLResponse:
    """What an error code means."""
    meaning = meanings().get(code)
    if meaning is None:
        raise NotFound("No error has this code; docs/api.md lists them.")
    title, text = html.escape(meaning.title), html.escape(meaning.text)
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(meaning.code)}</title>"
        "<meta name=viewport content='width=device-width'><meta name=color-scheme content='light dark'>"
        "<body style='font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem'>"
        f"<p><code>{html.escape(meaning.code)}</code> &middot; status {meaning.status}</p>"
        f"<h1>{title}</h1><p>{text}</p></body></html>"
    )

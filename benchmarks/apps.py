"""What the product is measured against, in our own environment: factories for `uvicorn --factory`.

`plain` is the least that uvicorn can answer; `bare` is the least that FastAPI can, with the same answer through the
same response model as the metered endpoint of the product.
"""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.enforcement.api.schemas import DecisionAnswer, PingAnswer

_BODY = b'{"allowed":true,"meter":"api_calls"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]

# Made once: what an endpoint spends on building its answer is not the framework's, and would flatter the comparison.
_PONG = PingAnswer(
    message="pong",
    decision=DecisionAnswer(
        allowed=True,
        code="allowed",
        meter="api_calls",
        limit=1_000_000_000_000,
        used=1,
        held=0,
        remaining=999_999_999_999,
        resets_at=None,
        retry_after=None,
        plan="bench",
        decision_id=None,
        fixes=[],
    ),
)


def plain() -> ASGIApp:
    """200 with a small JSON body, to everything."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})

    return app


def bare() -> FastAPI:
    """FastAPI with one endpoint and nothing around it."""
    app = FastAPI(openapi_url=None)

    @app.get("/v1/ping")
    async def ping() -> PingAnswer:
        return _PONG

    return app


async def _live(receive: Receive, send: Send) -> None:
    while True:
        phase = (await receive())["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return

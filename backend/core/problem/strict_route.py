"""A route that reads its body once, within a limit, as strict JSON."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from backend.core import strict_json
from backend.core.errors import BodyTooLarge, MalformedBody, UnsupportedMedia


class _StrictRequest(Request):
    """Holds the parsed body, so that the framework does not parse it again."""

    _parsed: Any

    async def load(self, limit: int, *, required: bool) -> None:
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge(f"The body is over {limit:,} bytes.", limit_bytes=limit)
        self._body = bytes(body)
        if not self._body:
            if required:
                raise MalformedBody("The body is empty; it must be a JSON object.")
            return
        content_type = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type != "application/json":
            raise UnsupportedMedia(f"The content type is {content_type or 'missing'!r:.80}; send application/json.")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMedia("Compressed bodies are not read; send the JSON as it is.")
        self._parsed = strict_json.loads(self._body)
        if not isinstance(self._parsed, dict):
            raise MalformedBody("The body must be a JSON object.")

    async def json(self) -> Any:
        return self._parsed


class StrictRoute(APIRoute):
    """Use as `APIRouter(route_class=StrictRoute)`. Bodies over `body_limit` bytes are refused unread."""

    body_limit: ClassVar[int] = 64 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle
        limit, required = self.body_limit, self.body_field.field_info.is_required()

        async def handle_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            await strict.load(limit, required=required)
            return await handle(strict)

        return handle_strictly

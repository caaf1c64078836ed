"""A route that reads its body once, within a limit, as strict JSON."""

from collections.abc import Callable, Collection, Coroutine
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from backend.core import strict_json
from backend.core.errors import BodyTooLarge, MalformedBody, UnsupportedMedia

JSON = "application/json"


async def strict_body(
    request: Request, limit: int, *, media: Collection[str] = (JSON,), required: bool = True
) -> tuple[str, Any]:
    """The content type and the parsed body of a request, read once. Nothing is in an empty one that may be empty.

    Raises BodyTooLarge, MalformedBody, UnsupportedMedia.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"The body is over {limit:,} bytes.", limit_bytes=limit)
    request._body = bytes(body)
    if not body:
        if required:
            raise MalformedBody("The body is empty; it must be a JSON object.")
        return JSON, None
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type not in media:
        expected = " or ".join(media)
        raise UnsupportedMedia(f"The content type is {content_type or 'missing'!r:.80}; send {expected}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read; send the JSON as it is.")
    return content_type, strict_json.loads(bytes(body))


class _StrictRequest(Request):
    """Holds the parsed body, so that the framework does not parse it again."""

    _parsed: Any

    async def load(self, limit: int, *, required: bool) -> None:
        _, self._parsed = await strict_body(self, limit, required=required)
        if not self._body:
            return
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

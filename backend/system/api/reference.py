"""/docs: the API reference, drawn by files that come with this installation; nothing is fetched from elsewhere."""

from importlib.resources import files
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_PATH = "/docs"
# The distribution is used for its files alone: copies of those of Swagger UI.
_FILES = files("fastapi_swagger").joinpath("resources")
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_ONE_DAY = "public, max-age=86400"


@router.get(_PATH)
async def reference(request: Request) -> HTMLResponse:
    """The page. Behind a proxy that adds a path, its files are below that path, too."""
    below = str(request.scope.get("root_path", "")).rstrip("/")
    return get_swagger_ui_html(
        openapi_url=f"{below}{request.app.openapi_url}",
        title=f"{request.app.title}: API reference",
        swagger_js_url=f"{below}{_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{below}{_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{below}{_PATH}/favicon-32x32.png",
    )


@router.get(f"{_PATH}/{{name}}")
async def reference_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"]) -> Response:
    """One of the page's files."""
    content = _FILES.joinpath(name).read_bytes()
    return Response(content, headers={"Content-Type": _TYPES[name], "Cache-Control": _ONE_DAY})

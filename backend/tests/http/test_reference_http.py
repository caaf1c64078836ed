"""The API reference: a page that works without the internet."""

import re

import httpx


async def test_the_reference_fetches_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert re.findall(r"""(?:src|href|url)\s*[=:]\s*["'](?:https?:)?//""", page) == []
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(named) == 3
    for address in named:
        answer = await client.get(address)
        assert answer.status_code == 200, address
        assert len(answer.content) > 500
    script = await client.get("/docs/swagger-ui-bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "SwaggerUIBundle" in script.text


async def test_only_its_own_files_are_served(client: httpx.AsyncClient) -> None:
    for name in ("__init__.py", "..%2F__init__.py", "%2e%2e%2f__init__.py"):
        assert (await client.get(f"/docs/{name}")).status_code in (404, 422), name


async def test_behind_a_path_its_files_are_below_that_path(client: httpx.AsyncClient) -> None:
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    below = httpx.ASGITransport(transport.app, root_path="/feature")
    async with httpx.AsyncClient(transport=below, base_url="http://localhost:8000") as proxied:
        page = (await proxied.get("/feature/docs")).text
    assert 'src="/feature/docs/swagger-ui-bundle.js"' in page
    assert "'/feature/openapi.json'" in page

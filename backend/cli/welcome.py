"""The way in that `make run` shows: a link for the first administrator, and calls to copy."""

import asyncio
from collections.abc import Sequence

from backend.auth.service.operators import first_admin_link, mint_run_key
from backend.cli.banner import BannerLine
from backend.cli.database import Server
from backend.core.clock import SystemClock
from backend.core.settings import Settings
from backend.db.session import Database


def first_steps(server: Server, settings: Settings) -> Sequence[BannerLine]:
    """Mints what the lines need; the key of the run before stops working."""
    link, key = asyncio.run(_minted(server, settings))
    lines = []
    if link is not None:
        lines.append(BannerLine("Administrator", f"{link}  (works once, for 30 minutes)"))
    if key is not None:
        credential = f'-H "Authorization: Bearer {key}"'
        body = """-H "Content-Type: application/json" -d '{"meter": "jobs", "amount": 11}'"""
        lines.append(BannerLine("A metered call", f"curl -i {credential} {settings.api_base_url}/v1/ping"))
        lines.append(BannerLine("A refused one", f"curl {credential} {body} {settings.api_base_url}/v1/usage/consume"))
        lines.append(BannerLine("Their key", "is good until the next start; `feature key create` makes one that stays"))
    return lines


async def _minted(server: Server, settings: Settings) -> tuple[str | None, str | None]:
    database, now = Database(server.url, pool_size=1), SystemClock().now()
    try:
        link = await first_admin_link(database, frontend_base_url=settings.frontend_base_url, now=now)
        key = await mint_run_key(database, now=now)
    finally:
        await database.close()
    return link, key.key if key else None

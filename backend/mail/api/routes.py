"""/dev/mail, in development only: what would have gone out."""

import html
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel

from backend.core.problem import StrictRoute, problem_responses
from backend.db.models import OutgoingMail
from backend.mail.message import links_in
from backend.mail.service import mailbox

router = APIRouter(prefix="/dev", tags=["Development"], route_class=StrictRoute)


class Mail(BaseModel):
    """One message."""

    to: str
    subject: str
    text: str
    html: str
    links: list[str]
    sent_at: datetime


class Mailbox(BaseModel):
    """Messages, newest first."""

    items: list[Mail]


@router.get("/mail", response_model=Mailbox, responses=problem_responses())
async def read_mail(
    request: Request, to: Annotated[str | None, Query(max_length=320, pattern=r"^[^\x00]*$")] = None
) -> Response:
    """Outgoing mail as JSON, and as a page for browsers."""
    async with request.app.state.database.read() as session:
        found = Mailbox(items=[_mail(mail) for mail in await mailbox(session, to=to)])
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_page(found, to))
    return JSONResponse(found.model_dump(mode="json"))


def _mail(mail: OutgoingMail) -> Mail:
    return Mail(
        to=mail.recipient,
        subject=mail.subject,
        text=mail.text_body,
        html=mail.html_body,
        links=links_in(mail.text_body),
        sent_at=mail.created_at,
    )


def _page(found: Mailbox, to: str | None) -> str:
    whose = f" to {html.escape(to)}" if to else ""
    items = "".join(_item(mail) for mail in found.items) or f"<p>No mail{whose} yet. Reload this page for more.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Development mailbox</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><style>'
        "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
        "article{border-top:1px solid #8888;padding:1rem 0}h2{font-size:1.1rem;margin:0}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}a{overflow-wrap:anywhere}"
        "</style></head><body><main><h1>Development mailbox</h1>"
        f"<p>Mail{whose} that would have been sent. None of it leaves this machine.</p>{items}</main></body></html>"
    )


def _item(mail: Mail) -> str:
    links = "".join(f'<p><a href="{html.escape(link, quote=True)}">{html.escape(link)}</a></p>' for link in mail.links)
    text = mail.text
    for link in mail.links:
        text = text.replace(link, "")
    return (
        f"<article><h2>{html.escape(mail.subject)}</h2><p>To {html.escape(mail.to)}, "
        f"<time>{mail.sent_at.isoformat(timespec='seconds')}</time></p><pre>{html.escape(text.strip())}</pre>{links}"
        "</article>"
    )

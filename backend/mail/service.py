"""Writing mail, reading the development mailbox, and delivery."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from uuid import UUID

import aiosmtplib
from sqlalchemy import func, select, update

from backend.core.ids import uuid7
from backend.core.settings import Settings
from backend.db.models import OutgoingMail
from backend.db.session import Database, ReadSession, WriteSession
from backend.jobs.queue import enqueue
from backend.mail.message import Link, as_html, as_text

_MAILBOX_PAGE = 50
_SMTP_SECONDS = 20
_SMTPS = 465  # TLS from the first byte on (RFC 8314)


async def send(
    session: WriteSession, *, to: str, subject: str, paragraphs: Sequence[str], link: Link | None = None
) -> None:
    """Sends if and only if this transaction commits."""
    mail = OutgoingMail(
        id=uuid7(),
        recipient=to,
        subject=subject,
        text_body=as_text(paragraphs, link),
        html_body=as_html(paragraphs, link),
        # Not the transaction's beginning: of links that replace each other, the last one written is the newest.
        created_at=func.clock_timestamp(),
    )
    session.add(mail)
    await session.flush()  # the job names the row
    await enqueue(session, "mail:deliver", mail_id=str(mail.id))


async def mailbox(session: ReadSession, *, to: str | None) -> list[OutgoingMail]:
    """What went out, newest first; sent or not."""
    wanted = select(OutgoingMail).order_by(OutgoingMail.created_at.desc(), OutgoingMail.id.desc())
    if to is not None:
        wanted = wanted.where(OutgoingMail.recipient == to.strip().lower())
    return list((await session.scalars(wanted.limit(_MAILBOX_PAGE))).all())


async def deliver(database: Database, settings: Settings, *, mail_id: UUID, now: datetime) -> None:
    """Hands one message to the mail server; without one it stays in the mailbox. Sent once, in two transactions.

    A worker that dies between the server's answer and the mark sends it again: better twice than never.
    Raises what the mail server or the connection to it raises, so that the job is tried again.
    """
    async with database.read() as session:
        mail = await session.get(OutgoingMail, mail_id)
    if mail is None or mail.delivery != "queued":
        return
    delivery = "mailbox"
    if settings.smtp_host is not None:
        await _transmit(settings, mail)
        delivery = "sent"
    async with database.system() as session:
        await session.execute(
            update(OutgoingMail).where(OutgoingMail.id == mail_id).values(delivery=delivery, sent_at=now)
        )


async def _transmit(settings: Settings, mail: OutgoingMail) -> None:
    message = EmailMessage()
    message["From"] = Address(settings.email_from_name, addr_spec=settings.email_from_address)
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.id}@{settings.email_from_address.rpartition('@')[2]}>"
    message.set_content(mail.text_body)
    message.add_alternative(mail.html_body, subtype="html")
    await aiosmtplib.send(
        message,
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user,
        password=settings.smtp_pass.get_secret_value() if settings.smtp_pass else None,
        use_tls=settings.smtp_use_tls and settings.smtp_port == _SMTPS,
        start_tls=settings.smtp_use_tls and settings.smtp_port != _SMTPS,
        timeout=_SMTP_SECONDS,
    )
